"""PLAIN, and sessions that clients have to renew on the open connection (KIP-368): librdkafka and Java."""

import time

import pytest
from accounts import make_account
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from doors import add_listener, mechanisms
from endpoint import jaas, write_properties

TIMEOUT = 20
LIFETIME_MS = 3000


@pytest.fixture
def renewing(fresh):
    """A server whose second listener takes PLAIN and SCRAM for three seconds at a time."""
    server = fresh()
    address = add_listener(
        server, "renewing", mechanisms("PLAIN", "SCRAM-SHA-512"), f"max_reauth_ms = {LIFETIME_MS}"
    )
    return server, address


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_librdkafka_renews_its_sessions_without_a_hitch(renewing, unique, mechanism):
    server, address = renewing
    topic = unique("renewed")
    server.run("topic", "create", topic)
    user = make_account(server, unique("user"), ["--operation", "write", "--topic", topic])
    errors = []
    conf = user.conf(sasl_mechanism=mechanism, bootstrap_servers=address)
    producer = Producer({**conf, "error_cb": errors.append})
    end = time.monotonic() + 3 * LIFETIME_MS / 1000
    sent = 0
    while time.monotonic() < end:
        producer.produce(topic, b"x", on_delivery=lambda error, _: error and errors.append(error))
        sent += 1
        assert producer.flush(TIMEOUT) == 0
        time.sleep(0.1)
    assert errors == []
    assert not server.audit("--kind", "connection", "--principal", user.name), "no session was cut off"
    assert len(server.audit("--kind", "authentication", "--principal", user.name)) >= 3


def test_java_renews_its_sessions_by_plain(renewing, unique, kafka, tmp_path):
    server, address = renewing
    topic = unique("renewed")
    server.run("topic", "create", topic)
    user = make_account(server, unique("java"), ["--operation", "write", "--topic", topic])
    properties = write_properties(
        tmp_path / "plain.properties",
        {
            "bootstrap.servers": address, "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": jaas("PLAIN", user.name, user.password), "ssl.truststore.type": "PEM",
            "ssl.truststore.location": server.data_dir / "pki" / "ca.pem",
        },
    )
    done = kafka(
        "verifiable-producer", "--bootstrap-server", address, "--topic", topic, "--throughput", "10",
        "--max-messages", "80", "--command-config", properties,
    )
    assert done.returncode == 0 and '"acked":80' in done.stdout.replace(" ", ""), done.stdout[-2000:] + done.stderr[-2000:]
    assert len(server.audit("--kind", "authentication", "--principal", user.name)) >= 3
    assert not server.audit("--kind", "connection", "--principal", user.name), "no session was cut off"


def test_a_wrong_password_and_an_unknown_user_are_told_the_same_by_plain(renewing, unique):
    server, address = renewing
    user = make_account(server, unique("user"))
    for name, password in [(user.name, "wrong"), ("nobody-of-that-name", user.password)]:
        conf = user.conf(
            sasl_mechanism="PLAIN", bootstrap_servers=address, sasl_username=name, sasl_password=password
        )
        heard = []
        client = AdminClient({**conf, "error_cb": heard.append, "log_level": 0})
        with pytest.raises(KafkaException):
            client.list_topics(timeout=4)
        client.poll(1)
        assert any(error.code() == KafkaError._AUTHENTICATION for error in heard), heard
    refused = server.audit("--kind", "authentication", "--decision", "denied")
    assert {record["data"]["result"]["message"] for record in refused} >= {
        "wrong password", "unknown user, or no credential for this mechanism",
    }
