"""Clients that are known by a certificate, as on an SSL listener of Kafka: librdkafka, and Java with both kinds of keystore."""

import subprocess
import time

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from doors import add_listener, mechanisms
from endpoint import write_properties
from test_librdkafka import produce

TIMEOUT = 20


class Mutual:
    """A server with a listener where a certificate is all that is asked for."""

    def __init__(self, server, directory, *lines):
        self.server, self.directory = server, directory
        self.list = server.data_dir / "pki" / "clients.crl"
        self.pki("revoke", "--list", str(self.list))
        self.bootstrap = add_listener(
            server, "mutual", mechanisms(), 'client_certificates = "required"', 'client_ca_files = ["pki/ca.pem"]',
            'client_crl_files = ["pki/clients.crl"]', *lines,
        )

    def pki(self, command, *arguments):
        self.server.run("pki", command, "--ca", str(self.server.data_dir), *arguments, account=None)

    def issue(self, name, *arguments):
        self.pki("issue", name, "--out", str(self.directory), *arguments)
        return Certificate(self, name)


class Certificate:
    def __init__(self, mutual, name):
        self.mutual, self.ca = mutual, str(mutual.server.data_dir / "pki" / "ca.pem")
        self.pem, self.key, self.keystore = (
            str(mutual.directory / f"{name}{ending}") for ending in (".pem", ".key", "-keystore.pem")
        )

    def conf(self, **more):
        return {
            "bootstrap.servers": self.mutual.bootstrap, "security.protocol": "SSL", "ssl.ca.location": self.ca,
            "ssl.certificate.location": self.pem, "ssl.key.location": self.key, **more,
        }

    def properties(self, **keystore):
        keystore = keystore or {"ssl.keystore.type": "PEM", "ssl.keystore.location": self.keystore}
        return write_properties(
            f"{self.keystore}.properties",
            {
                "bootstrap.servers": self.mutual.bootstrap, "security.protocol": "SSL", "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.ca, **keystore,
            },
        )

    def pkcs12(self):
        path = f"{self.keystore}.p12"
        command = ["openssl", "pkcs12", "-export", "-in", self.pem, "-inkey", self.key, "-out", path, "-passout", "pass:secret"]
        subprocess.run(command, check=True, capture_output=True)
        return {"ssl.keystore.type": "PKCS12", "ssl.keystore.location": path, "ssl.keystore.password": "secret"}


@pytest.fixture
def mutual(fresh, tmp_path):
    return lambda *lines: Mutual(fresh(), tmp_path, *lines)


def allow(server, principal, topic):
    server.run("topic", "create", topic)
    server.run("acl", "add", "--allow-principal", principal, "--operation", "all", "--topic", topic)


def test_a_certificate_is_who_a_client_is_and_policy_holds(mutual, unique):
    place = mutual()
    mine, others = unique("mine"), unique("others")
    allow(place.server, "User:CN=alice", mine)
    allow(place.server, "User:CN=bob", others)
    alice = place.issue("alice")
    assert produce(alice.conf(), mine, [b"x"]) == []
    denied = produce(alice.conf(), others, [b"x"])
    assert [error.name() for error in denied] == ["TOPIC_AUTHORIZATION_FAILED"]
    login = place.server.await_audit("--kind", "authentication", "--principal", "CN=alice")[-1]
    assert login["data"]["authenticationInfo"]["metadata"]["mechanism"] == "TLS"


def test_java_comes_with_pem_and_with_pkcs12(mutual, kafka, unique):
    place = mutual('principal_mapping_rules = "RULE:^CN=([a-z]*)$/$1/U, DEFAULT"')
    topic = unique("java")
    allow(place.server, "User:ALICE", topic)
    alice = place.issue("alice")
    for properties in [alice.properties(), alice.properties(**alice.pkcs12())]:
        listed = kafka("topics", "--bootstrap-server", place.bootstrap, "--command-config", properties, "--list")
        assert topic in listed.stdout.split(), listed.stdout + listed.stderr


def test_a_spiffe_id_can_be_the_principal(mutual, unique):
    place = mutual('principal_from = "uri"')
    topic = unique("spiffe")
    allow(place.server, "User:spiffe://example.org/billing", topic)
    billing = place.issue("billing", "--uri", "spiffe://example.org/billing")
    assert produce(billing.conf(), topic, [b"x"]) == []


def test_a_revoked_certificate_loses_its_connection_and_gets_no_other(mutual, unique):
    place = mutual()
    topic = unique("revoked")
    for name in ("alice", "bob"):
        certificate = place.issue(name)
        if name == "alice":
            allow(place.server, "User:CN=alice", topic)
            alice = certificate
    errors = []
    producer = Producer(alice.conf(error_cb=errors.append, log_level=0))
    producer.produce(topic, b"before")
    assert producer.flush(TIMEOUT) == 0
    place.pki("revoke", alice.pem, "--list", str(place.list))
    end = time.monotonic() + TIMEOUT
    while not errors:
        assert time.monotonic() < end, "the connection lives on"
        producer.poll(0.2)
    with pytest.raises(KafkaException):
        AdminClient(alice.conf(log_level=0)).list_topics(timeout=5)
    # The other one goes on, and a restart forgets nothing.
    bob = Certificate(place, "bob")
    AdminClient(bob.conf()).list_topics(timeout=TIMEOUT)
    place.server.stop()
    place.server.start()
    with pytest.raises(KafkaException):
        AdminClient(alice.conf(log_level=0)).list_topics(timeout=5)
    AdminClient(bob.conf()).list_topics(timeout=TIMEOUT)


def test_without_a_certificate_of_the_ca_nobody_gets_in(mutual, tmp_path):
    place = mutual()
    nobody = {key: value for key, value in Certificate(place, "nobody").conf(log_level=0).items() if "certificate" not in key and "key" not in key}
    with pytest.raises(KafkaException):
        AdminClient(nobody).list_topics(timeout=5)
    refused = place.server.await_audit("--kind", "connection")
    assert any("no certificates" in (record["data"]["result"].get("message") or "") for record in refused), refused
