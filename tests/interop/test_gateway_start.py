"""`schloss gateway quickstart` and what it says when the cluster can't be used."""

import re
import socket
import stat
import subprocess
import time

import pytest
from certificates import CertificateAuthority
from cluster_settings import GATEWAY_PASSWORD
from endpoint import write_private
from engines import first_address
from environment import BINARY, free_port

pytestmark = pytest.mark.gateway_only("starts before a cluster")


@pytest.fixture
def quickstart(start_gateway, cluster, tmp_path, unique):
    """Runs the quickstart to its end: it proves itself, or says why it can't."""
    state_topic = unique("__schloss_start")

    def run(*arguments, client=None, upstream=None, data_dir=tmp_path / "data"):
        file = client or cluster.client("gateway", "properties")
        command = [BINARY, "gateway", "quickstart", "--data-dir", str(data_dir), "--upstream", upstream or first_address(file)]
        command += ["--upstream-config", str(file), "--state-topic", state_topic, "--once", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def altered(cluster, tmp_path):
    """The gateway's upstream file with something in it replaced."""

    def alter(pattern, replacement, account="gateway"):
        text = open(cluster.client(account, "properties")).read()
        changed, count = re.subn(pattern, replacement, text)
        assert count, pattern
        return write_private(tmp_path / "altered.properties", changed)

    return alter


@pytest.mark.parametrize("account", ["gateway-scram-sha-512", "gateway-scram-sha-256", "gateway-plain", "gateway-mtls"])
def test_it_proves_itself_with_every_way_to_log_in(quickstart, cluster, account, tmp_path):
    result = quickstart("--port", "0", client=cluster.client(account, "properties"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("  proved  ") >= 5, result.stdout
    assert "WARN" not in result.stdout + result.stderr, "the screen belongs to the proofs"
    assert "WARN" in (tmp_path / "data" / "self-check.log").read_text()


def test_it_keeps_secrets_private_and_is_reused(quickstart, tmp_path):
    data = tmp_path / "data"
    assert quickstart("--port", "0").returncode == 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in [*data.rglob("*.key"), *(data / "clients").iterdir(), data / "gateway.toml", *(data / "audit").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    before = {path: path.read_bytes() for path in [*(data / "clients").iterdir(), *(data / "pki").iterdir()]}
    again = quickstart()
    assert again.returncode == 0, again.stdout + again.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_the_password_of_the_cluster_is_shown_nowhere(quickstart, cluster, tmp_path):
    result = quickstart("--port", "0")
    shown = result.stdout + result.stderr + "".join(path.read_text() for path in (tmp_path / "data" / "audit").iterdir())
    assert GATEWAY_PASSWORD not in shown


def test_a_wrong_password_is_called_one(quickstart, altered):
    result = quickstart("--port", "0", client=altered(r'password="[^"]*"', 'password="wrong-secret"'))
    assert result.returncode == 4, result.stdout + result.stderr
    assert "authentication" in result.stderr.lower() and "gateway" in result.stderr, result.stderr
    assert "altered.properties" in result.stderr, "which file to check"
    assert "wrong-secret" not in result.stdout + result.stderr


def test_a_wrong_ca_is_called_one(quickstart, altered, tmp_path):
    other = CertificateAuthority.new(tmp_path / "other")
    result = quickstart("--port", "0", client=altered(r"(ssl.truststore.location)=.*", rf"\1={other.certificate}"))
    assert result.returncode == 3, result.stdout + result.stderr
    assert "certificate" in result.stderr and str(other.certificate) in result.stderr, result.stderr


def test_a_client_certificate_of_another_ca_is_refused(quickstart, altered, tmp_path):
    keystore = CertificateAuthority.new(tmp_path / "other").issue("gateway")
    file = altered(r"(ssl.keystore.location)=.*", rf"\1={keystore}", account="gateway-mtls")
    result = quickstart("--port", "0", client=file)
    assert result.returncode in (3, 4), result.stdout + result.stderr
    assert "certificate" in result.stderr, result.stderr


def test_a_cluster_that_is_not_there_is_named(quickstart):
    address = f"localhost:{free_port()}"
    begun = time.monotonic()
    result = quickstart("--port", "0", upstream=address)
    assert result.returncode == 3, result.stdout + result.stderr
    assert address in result.stderr and "refused" in result.stderr, result.stderr
    assert time.monotonic() - begun < 30


def test_a_principal_that_may_do_nothing_upstream_is_told_what_it_needs(quickstart, cluster, unique):
    name = unique("powerless")
    cluster.add_scram_user(name, "powerless-password")
    result = quickstart("--port", "0", client=cluster.client(name, "properties"))
    assert result.returncode == 5, result.stdout + result.stderr
    assert f"User:{name}" in result.stderr, result.stderr


def test_a_plain_text_port_upstream_is_called_one(quickstart):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.listen()
        result = quickstart("--port", "0", upstream=f"localhost:{nobody.getsockname()[1]}")
    assert result.returncode == 3, result.stdout + result.stderr
    assert "TLS" in result.stderr or "timed out" in result.stderr, result.stderr


def test_a_second_gateway_can_have_the_ca_of_the_first(quickstart, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert quickstart("--port", "0", data_dir=first).returncode == 0
    arguments = ["--state-key", str(first / "state.key"), "--ca", str(first)]
    joined = quickstart("--port", "0", *arguments, data_dir=second)
    assert joined.returncode == 0, joined.stdout + joined.stderr
    assert "trusts this gateway already" in joined.stdout, joined.stdout
    assert (second / "pki" / "ca.pem").read_bytes() == (first / "pki" / "ca.pem").read_bytes()
    assert not (second / "pki" / "ca.key").exists(), "the key of the CA is in one place"
    again = quickstart(*arguments, data_dir=second)
    assert again.returncode == 0, again.stdout + again.stderr
    other = quickstart("--port", "0", "--ca", str(tmp_path), data_dir=tmp_path / "third")
    assert other.returncode == 2 and str(tmp_path / "ca.pem") in other.stderr, other.stderr


def test_clients_of_the_first_trust_a_gateway_of_the_same_ca(gateway, start_gateway, tmp_path):
    first = gateway()
    [topic] = re.findall(r'^topic = "(.*)"', first.config.read_text(), re.MULTILINE)
    shared = ["--state-key", str(first.data_dir / "state.key"), "--ca", str(first.data_dir)]
    second = start_gateway(tmp_path / "second", *shared, state_topic=topic)
    try:
        # The client file of the first, with nothing changed but the address.
        file = write_private(
            tmp_path / "admin.properties",
            open(first.client("admin", "properties")).read().replace(first.bootstrap, second.bootstrap),
        )
        result = second.run("topic", "list", "--client", file, account=None)
        assert "orders" in result.stdout or "schloss-quickstart" in result.stdout, result.stdout
    finally:
        second.stop()
