"""The changes that the tests make to a gateway's configuration."""

import re

from certificates import CertificateAuthority
from gateway_config import by_host_name, impersonating, observing, with_other_ports

CONFIG = """\
data_dir = "."
super_users = ["User:admin"]

[[listener]]
name = "secure"
bind = ["127.0.0.1:20000", "[::1]:20000"]
advertised_host = "localhost"
broker_port_base = 20001
tls_certificate = "pki/server.pem"

[upstream]
client_file = "upstream.properties"
bootstrap = ["localhost:20000"]
identity = "service"

[limits]
max_connections = 10000
"""


def test_all_ports_of_the_gateway_move_together_and_nothing_else():
    text, shift = with_other_ports(CONFIG)
    assert shift != 0
    moved = str(20000 + shift)
    assert f'bind = ["127.0.0.1:{moved}", "[::1]:{moved}"]' in text
    assert f"broker_port_base = {20001 + shift}" in text
    assert 'bootstrap = ["localhost:20000"]' in text and "max_connections = 10000" in text
    assert len(re.findall(moved, text)) == 2


def test_modes_are_settings_in_the_right_place(tmp_path):
    config = tmp_path / "gateway.toml"
    CertificateAuthority.new(tmp_path / "pki")
    config.write_text(CONFIG)
    for change in (observing, impersonating, by_host_name):
        change(tmp_path)
    text = config.read_text()
    assert text.startswith("insecure_observe_only = true\n")
    assert '[upstream]\nidentity = "impersonate"\n' in text and '"service"' not in text
    assert '[[listener]]\nbroker_names = "broker-{id}.kafka.test"\n' in text and "broker_port_base" not in text
    assert (tmp_path / "pki" / "server.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
