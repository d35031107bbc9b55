"""PLAIN by LDAP bind and groups of a directory, with a real OpenLDAP that goes away and comes back."""

import signal
import subprocess
import time

import pytest
from accounts import make_account
from certificates import CertificateAuthority
from confluent_kafka import KafkaError, KafkaException, Producer
from doors import add_listener, mechanisms
from endpoint import jaas, write_properties
from environment import BINARY
from slapd import PEOPLE, Slapd, group_dn, group_entry, user_dn

TIMEOUT = 20
BY_SEARCH = ['group_filter = "(member={dn})"']
BY_MEMBER_OF = ['member_of_attribute = "memberOf"']
QUICK = ["refresh_ms = 300", "max_stale_ms = 4000"]
PASSWORD = "a-good-password"
REFUSED = ["--kind", "authentication", "--decision", "denied"]


@pytest.fixture
def slapd(tmp_path):
    if not Slapd.is_there():
        pytest.skip("no slapd on this machine (Debian packages slapd and ldap-utils)")
    directory = Slapd(tmp_path / "slapd")
    directory.add_user("alice", PASSWORD)
    directory.add_user("Bob", PASSWORD)
    directory.add_user("admin", PASSWORD)
    directory.add_group("engineers", user_dn("alice"), user_dn("Bob"))
    directory.add_group("staff", group_dn("engineers"))
    directory.add_group("everyone", group_dn("staff"))
    # Groups that are in each other.
    directory.alter("engineers", "add", group_dn("everyone"))
    yield directory
    directory.stop()


class Place:
    """A server that asks the directory, and a topic that its group `staff` may write to."""

    def __init__(self, server, slapd, topic, *lines, change=("", ""), **more):
        self.server, self.slapd, self.topic = server, slapd, topic
        server.config.write_text(server.config.read_text() + slapd.section(*lines, **more).replace(*change))
        self.address = add_listener(server, "directory", mechanisms("PLAIN", "SCRAM-SHA-512"))
        self.ca = str(server.data_dir / "pki" / "ca.pem")
        server.run("topic", "create", topic)
        server.run("acl", "add", "--allow-principal", "Group:ldap/staff", "--operation", "write", "--topic", topic)

    def conf(self, user, password=PASSWORD, **more):
        return {
            "bootstrap.servers": self.address, "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
            "sasl.username": user, "sasl.password": password, "ssl.ca.location": self.ca, "log_level": 0,
            "message.timeout.ms": TIMEOUT * 1000, "topic.metadata.refresh.interval.ms": 500, **more,
        }

    def send(self, user, password=PASSWORD):
        """What became of one record: nothing if it was delivered."""
        return Session(self.conf(user, password)).send(self.topic)

    def refused(self, user, password=PASSWORD):
        """Logs in in vain: how long the answer took, and what the audit trail says of it."""
        before = len(self.refusals())
        told, begun = [], time.monotonic()
        # A second try would come before the first one is looked at.
        conf = self.conf(user, password, **{"reconnect.backoff.ms": 9000, "reconnect.backoff.max.ms": 9000})
        client = Producer({**conf, "error_cb": lambda error: told.append((error, time.monotonic() - begun))})
        client.produce(self.topic, b"x")
        while not any(error.code() == KafkaError._AUTHENTICATION for error, _ in told):
            assert time.monotonic() < begun + TIMEOUT, told
            client.poll(0.05)
        client.purge()
        error, took = next(one for one in told if one[0].code() == KafkaError._AUTHENTICATION)
        assert "invalid credentials with SASL mechanism PLAIN" in error.str(), error
        # It is written when the client is gone.
        self.server.await_audit(*REFUSED, count=before + 1)
        return took, self.refusals()[before]

    def refusals(self):
        records = self.server.audit(*REFUSED)
        return [record["data"]["result"].get("message", "") for record in records]

    def logged_in(self, user):
        return self.server.audit("--kind", "authentication", "--principal", f"User:{user}", "--decision", "allowed")


class Session:
    """One client that stays connected."""

    def __init__(self, conf):
        self.errors = []
        self.producer = Producer({**conf, "error_cb": self.errors.append})

    def send(self, topic):
        outcome = []
        try:
            self.producer.produce(topic, b"x", on_delivery=lambda error, _: outcome.append(error))
        except KafkaException as refused:
            # It knows that already, from when it last looked.
            return refused.args[0].code()
        end = time.monotonic() + TIMEOUT
        while not outcome and time.monotonic() < end:
            self.producer.poll(0.1)
            if any(error.code() == KafkaError._AUTHENTICATION for error in self.errors):
                return KafkaError._AUTHENTICATION
        assert outcome, self.errors
        return outcome[0] and outcome[0].code()

    def await_outcome(self, topic, wanted, seconds=TIMEOUT):
        end = time.monotonic() + seconds
        while (got := self.send(topic)) != wanted:
            assert time.monotonic() < end, (got, wanted)
            self.producer.poll(0.1)


@pytest.fixture
def place(fresh, slapd, unique):
    return lambda *lines, **more: Place(fresh(), slapd, unique("directory"), *lines, **more)


def groups_of(record):
    names = record["data"]["authenticationInfo"]["metadata"]["groups"]
    return sorted(name.removeprefix("Group:ldap/") for name in names)


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
@pytest.mark.parametrize("groups", [BY_SEARCH, BY_MEMBER_OF, BY_SEARCH + BY_MEMBER_OF])
def test_a_user_logs_in_by_bind_and_is_in_groups_of_groups(place, slapd, way, groups):
    here = place(*groups, url=slapd.url if way == "starttls" else slapd.tls_url)
    assert here.send("alice") is None, here.refusals()
    record = here.logged_in("alice")[-1]
    assert groups_of(record) == ["engineers", "everyone", "staff"], record


def test_however_a_name_is_typed_it_is_one_principal(place):
    here = place(*BY_SEARCH)
    for typed in ("Bob", "bob", "BOB"):
        assert here.send(typed) is None, here.refusals()
    assert len(here.logged_in("Bob")) >= 3
    assert here.logged_in("bob") == [] and here.logged_in("BOB") == []


def test_users_are_found_by_their_name_alone(place, slapd):
    by_name = (f'user_base = "{PEOPLE}"', f'user_dn = "uid={{user}},{PEOPLE}"')
    here = place(*BY_SEARCH, change=by_name)
    for typed in ("bob", "BOB"):
        assert here.send(typed) is None, here.refusals()
    assert len(here.logged_in("Bob")) >= 2, "as the entry says that the user may read"
    unknown = "unknown user, or no credential for this mechanism"
    for user, password, words in [
        ("alice", "wrong", "wrong password"), ("nobody", PASSWORD, "wrong password"),
        ("*", PASSWORD, "wrong password"), ("alice,ou=people", PASSWORD, "wrong password"),
        ("alice+cn=alice", PASSWORD, "wrong password"), ("x,uid=alice", PASSWORD, "wrong password"),
    ]:
        assert here.refused(user, password)[1] in (words, unknown)


def test_who_is_not_let_in_is_told_nothing_and_the_audit_trail_why(place, slapd):
    here = place(*BY_SEARCH)
    slapd.add_user("carol", PASSWORD, mail="carol@example.org")
    assert here.send("carol") == KafkaError.TOPIC_AUTHORIZATION_FAILED
    unknown = "unknown user, or no credential for this mechanism"
    times = {}
    for user, password, words in [
        ("alice", "wrong", "wrong password"),
        ("nobody", PASSWORD, unknown),
        # Injections: into the filter, into the name.
        ("*", PASSWORD, unknown),
        ("ali*", PASSWORD, unknown),
        ("alice)(uid=*", PASSWORD, unknown),
        ("*)(|(uid=*", PASSWORD, unknown),
        ("nobody)(|(uid=alice)", PASSWORD, unknown),
        ("alice\\2a", PASSWORD, unknown),
        ("alice,ou=people", PASSWORD, unknown),
        (user_dn("alice"), PASSWORD, unknown),
        # A local user is none of the directory's, whatever way the name is written.
        ("admin", PASSWORD, "wrong password"),
        ("ADMIN", PASSWORD, "the directory refuses the account: admin is a local user"),
    ]:
        took, said = here.refused(user, password)
        assert said.startswith(words), (user, said)
        times[user] = took
    assert min(times.values()) >= 0.25, times
    assert max(times.values()) - min(times.values()) < 0.3, times


def test_an_empty_password_is_never_asked_about(place, slapd):
    here = place(*BY_SEARCH)
    command = [BINARY, "directory", "test", "--config", str(here.server.config), "--user", "alice", "--password-stdin"]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "empty" in done.stderr, done.stdout + done.stderr
    properties = write_properties(here.server.data_dir / "empty.properties", {
        "bootstrap.servers": here.address, "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": jaas("PLAIN", "alice", ""), "ssl.truststore.type": "PEM",
        "ssl.truststore.location": here.ca,
    })
    done = subprocess.run(
        [BINARY, "topic", "list", "--client", properties], capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0, done.stdout


def test_java_logs_in_by_bind(place, kafka, tmp_path):
    here = place(*BY_SEARCH)
    properties = write_properties(tmp_path / "plain.properties", {
        "bootstrap.servers": here.address, "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": jaas("PLAIN", "alice", PASSWORD), "ssl.truststore.type": "PEM",
        "ssl.truststore.location": here.ca,
    })
    done = kafka(
        "verifiable-producer", "--bootstrap-server", here.address, "--topic", here.topic,
        "--max-messages", "5", "--command-config", properties,
    )
    assert done.returncode == 0 and '"acked":5' in done.stdout.replace(" ", ""), done.stdout[-2000:] + done.stderr[-2000:]


def test_a_change_of_groups_is_in_force_on_an_open_session(place, slapd):
    here = place(*BY_SEARCH, *QUICK)
    session = Session(here.conf("alice"))
    assert session.send(here.topic) is None
    slapd.alter("engineers", "delete", user_dn("alice"))
    session.await_outcome(here.topic, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    slapd.alter("everyone", "add", user_dn("alice"))
    slapd.alter("staff", "add", user_dn("alice"))
    session.await_outcome(here.topic, None)
    assert session.errors == []
    assert not here.server.audit("--kind", "connection", "--principal", "User:alice"), "no connection was cut off"
    slapd.delete_user("alice")
    gone = here.server.await_audit("--kind", "connection", "--principal", "User:alice")
    assert "the directory knows no such user any more" in gone[-1]["data"]["result"]["message"]


def test_groups_outlive_an_outage_for_their_time_and_then_count_for_nothing(place, slapd):
    here = place(*BY_SEARCH, *QUICK)
    session = Session(here.conf("alice"))
    assert session.send(here.topic) is None
    slapd.stop()
    stopped = time.monotonic()
    assert session.send(here.topic) is None, "what was said before is still good"
    for _ in range(12):
        _, said = here.refused("alice")
        assert said.startswith("the directory can't be asked"), said
    time.sleep(max(0.0, stopped + 5 - time.monotonic()))
    session.await_outcome(here.topic, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    told = here.server.audit("--kind", "authorization", "--principal", "User:alice")
    messages = [record["data"]["result"].get("message", "") for record in told]
    assert "the directory does not answer: what its groups are allowed is denied" in messages, messages
    slapd.start()
    session.await_outcome(here.topic, None)
    # An outage is no guess: more of them than wrong passwords are allowed have locked nobody out.
    assert here.send("alice") is None, here.refusals()


def test_a_directory_that_hangs_keeps_nobody_from_logging_in_who_needs_it_not(place, slapd):
    here = place(*BY_SEARCH, *QUICK, 'groups_for = ["SCRAM-SHA-512"]')
    session = Session(here.conf("alice"))
    assert session.send(here.topic) is None
    erin = make_account(here.server, "erin", ["--operation", "write", "--topic", here.topic])
    slapd.process.send_signal(signal.SIGSTOP)
    try:
        assert session.send(here.topic) is None, "what was said before is still good"
        _, said = here.refused("alice")
        assert said.startswith("the directory can't be asked"), said
        by_scram = {**erin.conf(), "sasl.mechanism": "SCRAM-SHA-512", "bootstrap.servers": here.address}
        assert Session(by_scram).send(here.topic) is None
    finally:
        slapd.process.send_signal(signal.SIGCONT)
    session.await_outcome(here.topic, None)


def test_a_deny_for_a_group_is_not_got_past_by_an_outage(place, slapd):
    here = place(*BY_SEARCH, *QUICK)
    here.server.run("acl", "add", "--allow-principal", "User:alice", "--operation", "write", "--topic", here.topic)
    session = Session(here.conf("alice"))
    assert session.send(here.topic) is None
    here.server.run("acl", "add", "--deny-principal", "Group:ldap/engineers", "--operation", "write", "--topic", here.topic)
    session.await_outcome(here.topic, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    slapd.stop()
    gone = here.server.await_audit("--kind", "connection", "--principal", "User:alice", seconds=TIMEOUT)
    assert "a DENY for one of its groups may concern the user" in gone[-1]["data"]["result"]["message"]


def test_wrong_passwords_lock_out_and_the_directory_is_spared_them(place):
    here = place(*BY_SEARCH)
    for number in range(10):
        here.refused(["alice", "Alice", "ALICE"][number % 3], "wrong")
    _, said = here.refused("aLiCe")
    assert "locked out" in said, said


def test_groups_of_the_directory_for_a_local_user(place, slapd, unique):
    here = place(*BY_SEARCH, 'groups_for = ["SCRAM-SHA-512"]')
    slapd.add_user("dave", "of-no-use-here")
    slapd.alter("staff", "add", user_dn("dave"))
    dave = make_account(here.server, "dave")
    session = Session({**dave.conf(), "sasl.mechanism": "SCRAM-SHA-512", "bootstrap.servers": here.address})
    assert session.send(here.topic) is None
    assert here.refused("dave", "of-no-use-here")[1] == "wrong password"


def test_a_server_of_another_ca_is_told_no_password(place, slapd, tmp_path):
    other = CertificateAuthority.new(tmp_path / "other-ca", name="Other CA")
    here = place(*BY_SEARCH, ca=other.certificate)
    _, said = here.refused("alice")
    assert "invalid peer certificate" in said, said


def test_an_open_way_is_taken_only_where_it_is_asked_for_and_warned_of(place, slapd):
    here = place(*BY_SEARCH, "insecure_plain = true", url=slapd.url)
    assert here.send("alice") is None
    assert any("directory.insecure_plain" in line for line in here.server.output)


def test_more_groups_than_a_page_are_found(place, slapd):
    here = place(*BY_SEARCH)
    slapd.add(*(group_entry(f"group-{number:03}", user_dn("Bob")) for number in range(600)))
    assert here.send("bob") is None, here.refusals()
    assert len(groups_of(here.logged_in("Bob")[-1])) == 603


def test_what_the_directory_says_is_shown_and_explained(place):
    here = place(*BY_SEARCH)
    command = [BINARY, "directory", "test", "--config", str(here.server.config), "--user"]
    shown = subprocess.run([*command, "BOB", "--password-stdin"], input=PASSWORD, capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0, shown.stderr
    for words in (user_dn("Bob"), "User:Bob", "Group:ldap/engineers", "Group:ldap/staff", "the password is right"):
        assert words in shown.stdout, shown.stdout
    unknown = subprocess.run([*command, "nobody"], capture_output=True, text=True, timeout=30)
    assert unknown.returncode != 0 and "no such user" in unknown.stderr, unknown.stdout + unknown.stderr
    session = Session(here.conf("alice"))
    assert session.send(here.topic) is None
    asked = ("access", "explain", "--principal", "User:alice", "--operation", "write", "--topic", here.topic)
    explained = here.server.run(*asked)
    assert "Group:ldap/staff" in explained.stdout, explained.stdout
