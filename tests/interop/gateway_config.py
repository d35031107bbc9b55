"""Changes to the gateway.toml that a quickstart has written."""

import random
import re
import socket

from certificates import CertificateAuthority
from cluster_settings import NODES

_OWN_PORT = re.compile(r"^(\s*(?:bind|\w*port\w*)\s*=)(.*)$", re.MULTILINE)
# A port, not a part of an address: after a colon, or alone.
_NUMBER = re.compile(r"(?<=:)\d{4,5}\b|(?<![\d.:])\d{4,5}\b")
# Brokers follow one another from a base port.
_PORTS_IN_A_ROW = 16


def with_other_ports(config):
    """The configuration with every port of its own moved by the same number, to free ones; and that number."""
    ports = {int(number) for line in _OWN_PORT.findall(config) for number in _NUMBER.findall(line[1])}
    assert ports, f"no port in the configuration:\n{config}"
    while True:
        shift = random.randrange(10_000, 30_000) - min(ports)
        if all(_is_free(port + shift + step) for port in ports for step in range(_PORTS_IN_A_ROW)):
            break

    def move(match):
        return match.group(1) + _NUMBER.sub(lambda number: str(int(number.group()) + shift), match.group(2))

    return _OWN_PORT.sub(move, config), shift


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def observing(data_dir):
    """Nothing is denied, everything is audited."""
    _edit(data_dir, lambda config: "insecure_observe_only = true\n" + _without(config, "insecure_observe_only"))


def impersonating(data_dir):
    """The gateway is upstream whoever its client is."""
    _edit(data_dir, lambda config: _in_table(_without(config, "identity"), "[upstream]", 'identity = "impersonate"'))


def state_may_be_old_for(millis):
    """How long users and ACLs are served by while nobody knows whether they are the newest."""
    return lambda data_dir: _edit(
        data_dir, lambda config: _in_table(_without(config, "max_age_ms"), "[state]", f"max_age_ms = {millis}")
    )


# How clients find a broker where every broker has the same port.
BROKER_NAMES = "broker-{id}.kafka.test"


def by_host_name(data_dir):
    """Brokers are told apart by the host name that the client asks for, on one port."""
    names = [BROKER_NAMES.replace("{id}", str(node)) for node in NODES]
    _edit(
        data_dir,
        lambda config: _in_table(
            _without(config, "broker_port_base"),
            "[[listener]]",
            f'broker_names = "{BROKER_NAMES}"',
        ),
    )
    pki = data_dir / "pki"
    authority = CertificateAuthority(pki)
    authority.issue("server", names)
    (pki / "server.crt").replace(pki / "server.pem")


def _edit(data_dir, change):
    path = data_dir / "gateway.toml"
    path.write_text(change(path.read_text()))


def _without(config, key):
    return re.sub(rf"^{key}\b.*\n", "", config, flags=re.MULTILINE)


def _in_table(config, head, line):
    """The configuration with this line first in the table."""
    assert f"{head}\n" in config, f"no {head} in the configuration:\n{config}"
    return config.replace(f"{head}\n", f"{head}\n{line}\n", 1)
