"""GSSAPI with tickets of MIT's KDC: Java, librdkafka with Cyrus SASL (kcat), and clients that try what they should not."""

import subprocess
import time

import pytest
from clock import Clock, library
from doors import add_listener, mechanisms
from endpoint import write_private, write_properties
from engines import Schloss
from environment import ENGINE
from gss_client import GssClient, Initiator
from java import java_command
from kdc import REALM, Kdc, program

SERVICE = f"kafka/localhost@{REALM}"
AUTHENTICATION_FAILED = 58
RULES = [f"RULE:[2:$1-at-$2@$0](.*-at-.*@{REALM})s/@.*//", f"RULE:[1:$1@$0](.*@{REALM})s/@.*///L"]


class Place:
    """A server with a listener for GSSAPI, and a topic for each test."""

    def __init__(self, server, kdc, clock):
        self.server, self.kdc, self.clock, self.heard = server, kdc, clock, 0
        self.keytab = kdc.keytab("kafka.keytab", SERVICE)
        server.environment = {**kdc.environment, **(clock.environment if clock else {})}
        for name in ("KRB5_CONFIG", "KRB5RCACHEDIR"):
            server.environment[name] = kdc.environment[name]
        section = ["", "[kerberos]", f'realm = "{REALM}"', f'keytab = "{self.keytab}"', f"rules = {RULES}", ""]
        server.config.write_text(server.config.read_text() + "\n".join(section))
        self.address = add_listener(server, "kerberos", mechanisms("GSSAPI", "SCRAM-SHA-512"))
        self.ca = str(server.data_dir / "pki" / "ca.pem")

    def allow(self, principal, topic):
        for operation in ("read", "write", "describe"):
            self.server.run("acl", "add", "--allow-principal", principal, "--operation", operation, "--topic", topic)
        self.server.run("acl", "add", "--allow-principal", principal, "--operation", "read", "--group", "*")

    def raw(self, handshake=1):
        """A connection that has asked for GSSAPI."""
        host, port = self.address.split(":")
        return GssClient(self.server.client("admin", "conf"), (host, int(port)), handshake)

    def told(self, words, seconds=10):
        """Waits until the audit log says this of a log-in that was refused since the last time it was asked."""
        end = time.monotonic() + seconds
        while True:
            records = self.server.audit("--kind", "authentication", "--decision", "denied")
            new = [record["data"]["result"].get("message", "") for record in records[self.heard:]]
            if any(words in message for message in new):
                self.heard = len(records)
                return True
            assert time.monotonic() < end, (words, new)
            time.sleep(0.05)

    def kcat(self, environment, *arguments, stdin=None, **more):
        conf = {
            "bootstrap.servers": self.address, "security.protocol": "SASL_SSL", "sasl.mechanisms": "GSSAPI",
            "ssl.ca.location": self.ca, "sasl.kerberos.service.name": "kafka",
            # The tickets are there already; without it librdkafka would ask for them with a keytab.
            "sasl.kerberos.kinit.cmd": "true", **more,
        }
        path = write_private(self.server.data_dir / "kerberos.conf", "".join(f"{k}={v}\n" for k, v in conf.items()))
        return subprocess.run(
            ["kcat", "-F", path, *arguments], input=stdin, env=environment, capture_output=True, text=True, timeout=60
        )


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    if not program("krb5kdc"):
        pytest.skip("no KDC on this machine (Debian package krb5-kdc): run by 'cargo xtask test'")
    kdc = Kdc(tmp_path_factory.mktemp("kerberos") / "kdc")
    kdc.add(SERVICE, f"alice@{REALM}")
    yield kdc
    kdc.stop()


@pytest.fixture(scope="module")
def place(request, kdc, tmp_path_factory, unique):
    """One server for all tests of this file; its clock can be set where there is libfaketime."""
    directory = tmp_path_factory.mktemp("kerberos-server")
    if ENGINE == "gateway":
        start = request.getfixturevalue("start_gateway")
        request.getfixturevalue("cluster").forget("orders", "orders-app")
        server = start(directory / "data", state_topic=unique("__schloss_kerberos"))
    else:
        server = Schloss(directory / "data")
    yield Place(server, kdc, Clock(directory / "clock", library()) if library() else None)
    server.stop()


@pytest.fixture
def here(place, kdc, unique):
    place.keytab = kdc.keytab("kafka.keytab", SERVICE)
    place.topic = unique("kerberos")
    place.server.run("topic", "create", place.topic)
    return place


@pytest.fixture
def as_principal(kdc, monkeypatch):
    """Makes this process, and so `Initiator`, one that has logged in as a principal."""

    def become(principal, *options):
        environment = kdc.tickets(principal, *options)
        for name in ("KRB5_CONFIG", "KRB5CCNAME"):
            monkeypatch.setenv(name, environment[name])

    return become


def refused(answer):
    """The server said no, and no more than that."""
    code, message, *_ = answer
    assert code == AUTHENTICATION_FAILED, answer
    assert message == (
        "Authentication failed during authentication due to invalid credentials with SASL mechanism GSSAPI"
    ), answer
    return True


def test_kcat_writes_and_reads_with_a_ticket(here, kdc):
    here.allow("User:alice", here.topic)
    alice = kdc.tickets(f"alice@{REALM}")
    wrote = here.kcat(alice, "-P", "-t", here.topic, stdin="one\ntwo\n")
    assert wrote.returncode == 0, wrote.stderr
    read = here.kcat(alice, "-C", "-t", here.topic, "-e", "-q")
    assert read.stdout.split() == ["one", "two"], read.stderr
    [record, *_] = here.server.audit("--kind", "authentication", "--principal", "alice")
    assert record["data"]["result"]["message"] == f"by a ticket of the Kerberos principal alice@{REALM}"


def test_java_writes_and_reads_with_a_keytab(here, kdc, java, tmp_path):
    here.allow("User:alice", here.topic)
    keytab = kdc.keytab("java.keytab", f"alice@{REALM}")
    login = (
        "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true doNotPrompt=true "
        f'keyTab="{keytab}" principal="alice@{REALM}";'
    )
    properties = write_properties(
        tmp_path / "kerberos.properties",
        {
            "bootstrap.servers": here.address, "security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI",
            "sasl.kerberos.service.name": "kafka", "sasl.jaas.config": login, "ssl.truststore.type": "PEM",
            "ssl.truststore.location": here.ca,
        },
    )

    def run(tool, *arguments, stdin=None):
        options = [f"-Djava.security.krb5.conf={kdc.config}"]
        command = java_command(tool, "--bootstrap-server", here.address, *arguments, options=options)
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90)

    wrote = run("console-producer", "--command-config", properties, "--topic", here.topic, stdin="one\ntwo\n")
    assert wrote.returncode == 0 and "rror" not in wrote.stderr, wrote.stderr
    read = run(
        "console-consumer", "--command-config", properties, "--topic", here.topic, "--from-beginning", "--group",
        "java", "--max-messages", "2", "--timeout-ms", "30000",
    )
    assert read.stdout.split() == ["one", "two"], read.stderr


def test_rules_make_users_and_groups_hold_for_them(here, kdc, unique, as_principal):
    machine, boss = f"etl/host-7.example@{REALM}", f"BigBoss@{REALM}"
    kdc.add(machine, boss)
    here.allow("User:etl-at-host-7.example", here.topic)
    here.server.run("group", "add", "bosses", "--member", "User:bigboss")
    here.allow("Group:bosses", here.topic)
    for principal in (machine, boss):
        wrote = here.kcat(kdc.tickets(principal), "-P", "-t", here.topic, stdin="x\n")
        assert wrote.returncode == 0, (principal, wrote.stderr)
    # Whoever has a ticket and no right has no right.
    wrote = here.kcat(kdc.tickets(f"alice@{REALM}"), "-P", "-t", here.topic, "-X", "message.timeout.ms=5000", stdin="x\n")
    assert "uthorization" in wrote.stderr, wrote.stderr
    # A rule for each number of parts, and none for a realm that is not ours or for three parts.
    odd = f"one/two/three@{REALM}"
    kdc.add(odd)
    as_principal(odd)
    assert refused(here.raw().log_in(Initiator(SERVICE)))
    assert here.told("is not of one or two parts")


@pytest.mark.parametrize("principal", ["sep\\/arated", "at\\@sign"])
def test_a_separator_in_a_part_does_not_make_two_of_it(here, kdc, as_principal, principal):
    kdc.add(f"{principal}@{REALM}")
    as_principal(f"{principal}@{REALM}")
    assert refused(here.raw().log_in(Initiator(SERVICE)))
    assert here.told("is not of one or two parts")


def test_a_principal_named_as_everybody_is_nobody_more(here, kdc):
    kdc.add(f"*@{REALM}")
    here.allow("User:alice", here.topic)
    star = kdc.tickets(f"*@{REALM}")
    wrote = here.kcat(star, "-P", "-t", here.topic, "-X", "message.timeout.ms=5000", stdin="x\n")
    assert "uthorization" in wrote.stderr, wrote.stderr
    here.allow("User:*", here.topic)
    wrote = here.kcat(star, "-P", "-t", here.topic, stdin="x\n")
    assert wrote.returncode == 0, wrote.stderr


def test_the_exchange_is_that_of_rfc_4752(here, as_principal):
    as_principal(f"alice@{REALM}", "-l", "10m")
    alice = f"alice@{REALM}".encode()
    for handshake in (0, 1):
        for flags in (0, 2):
            code, _, lifetime = here.raw(handshake).log_in(Initiator(SERVICE, flags))
            assert code == 0
            # A session lasts no longer than the ticket, and five minutes that clocks may differ.
            assert handshake == 0 or 500_000 < lifetime <= 900_000, lifetime
    assert here.raw().log_in(Initiator(SERVICE), acts_as=alice)[0] == 0
    for acts_as in (b"admin", b"alice", f"admin@{REALM}".encode()):
        assert refused(here.raw().log_in(Initiator(SERVICE), acts_as=acts_as))
    assert here.told("the authorization id differs from the user name")
    for layer in (b"\x02\0\0\0", b"\x04\0\xff\xff", b"\0\0\0\0", b"\x01\0\x10\0"):
        assert refused(here.raw().log_in(Initiator(SERVICE), layer=layer))
    assert here.told("wants a security layer of its own")


def test_a_session_is_renewed_by_the_same_principal_alone(here, kdc, as_principal, unique):
    bob = f"{unique('bob')}@{REALM}"
    kdc.add(bob)
    as_principal(f"alice@{REALM}")
    client = here.raw()
    for _ in range(2):
        assert client.log_in(Initiator(SERVICE))[0] == 0
        client.api_versions()
        # Sooner than a second after the last time nobody may, as in Kafka.
        time.sleep(1.1)
        client.begin()
    as_principal(bob)
    assert refused(client.log_in(Initiator(SERVICE)))
    assert here.told("authenticated again as somebody else")
    with pytest.raises(OSError):
        client.api_versions()


def test_tokens_that_are_none_or_were_seen_before_are_refused(here, as_principal):
    as_principal(f"alice@{REALM}")
    for garbage in (b"", b"garbage", b"\x60\x82\xff\xff" + b"\0" * 300, b"x" * 70_000):
        assert refused(here.raw().say(garbage))
    token = Initiator(SERVICE).token()
    assert refused(here.raw().say(token[:-1] + bytes([token[-1] ^ 1])))
    code, *_ = here.raw().say(token)
    assert code == 0
    assert refused(here.raw().say(token))
    assert here.told("Request is a replay")
    # What is sent after the end, and instead of the choice.
    client, initiator = here.raw(), Initiator(SERVICE)
    initiator.token(client.say(initiator.token())[2])
    assert refused(client.say(b"not empty"))


def test_tickets_for_others_or_by_old_keys_are_refused_and_new_keys_taken_up(here, kdc, as_principal):
    other, renewed = f"other/localhost@{REALM}", here.keytab.with_name("renewed.keytab")
    kdc.add(other)
    as_principal(f"alice@{REALM}")
    assert refused(here.raw().log_in(Initiator(other)))
    assert here.told(f"{other} not found in keytab")
    # Its key is there, and still it is not the service's.
    kdc.keytab(here.keytab.name, other)
    assert refused(here.raw().log_in(Initiator(other)))
    assert here.told("does not match server principal")
    assert here.raw().log_in(Initiator(SERVICE))[0] == 0
    # The KDC has a new key, the broker not yet.
    kdc.keytab(renewed.name, SERVICE, new_keys=True)
    as_principal(f"alice@{REALM}")
    assert refused(here.raw().log_in(Initiator(SERVICE)))
    assert here.told("keytab is likely out of date")
    renewed.replace(here.keytab)
    assert here.raw().log_in(Initiator(SERVICE))[0] == 0
    # Without a keytab nobody comes in, and nobody is blamed for it.
    here.keytab.unlink()
    assert refused(here.raw().log_in(Initiator(SERVICE)))
    assert here.told("Kerberos can't be served")


def test_tickets_that_are_over_and_clocks_that_differ_are_told_apart(here, as_principal):
    if not here.clock:
        pytest.skip("no libfaketime on this machine (Debian package faketime)")
    as_principal(f"alice@{REALM}", "-l", "10m")
    assert here.raw().log_in(Initiator(SERVICE))[0] == 0
    here.clock.set(3600)
    try:
        assert refused(here.raw().log_in(Initiator(SERVICE)))
        assert here.told("Ticket expired")
        as_principal(f"alice@{REALM}", "-l", "10h")
        assert refused(here.raw().log_in(Initiator(SERVICE)))
        assert here.told("Clock skew too great")
    finally:
        here.clock.set(0)
    assert here.raw().log_in(Initiator(SERVICE))[0] == 0


def test_a_start_without_a_usable_key_says_why(here, kdc):
    here.server.stop()
    good = here.server.config.read_text()
    foreign = kdc.keytab("foreign.keytab", f"alice@{REALM}")
    for change, words in [
        (lambda text: text.replace(str(here.keytab), str(foreign)), "foreign.keytab can't be used: "),
        (lambda text: text.replace("[kerberos]", f'[kerberos]\nprincipal = "kafka/elsewhere@{REALM}"'), "kafka/elsewhere"),
        (lambda text: text.replace(str(here.keytab), "/nowhere.keytab"), "/nowhere.keytab can't be read"),
    ]:
        here.server.config.write_text(change(good))
        here.server.output.clear()
        with pytest.raises(AssertionError):
            here.server.start()
        output = "".join(here.server.output)
        assert words in output and here.server.config_name in output, output
    here.keytab.chmod(0o644)
    here.server.config.write_text(good)
    here.server.output.clear()
    with pytest.raises(AssertionError):
        here.server.start()
    assert "can be read by others" in "".join(here.server.output)
    here.keytab.chmod(0o600)
    here.server.start()
