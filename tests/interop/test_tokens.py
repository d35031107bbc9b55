"""OAUTHBEARER with tokens of oidc-provider, whose keys rotate: librdkafka by callback and by OIDC, and Java."""

import shutil
import subprocess
import time

import pytest
from confluent_kafka import KafkaError, Producer
from doors import add_listener, mechanisms
from endpoint import write_properties
from environment import NODE_PATH
from issuer import Issuer
from java import java_command

TIMEOUT = 30


class Place:
    def __init__(self, server, issuer, *lines):
        self.server, self.issuer = server, issuer
        server.config.write_text(server.config.read_text() + issuer.section(*lines))
        self.address = add_listener(server, "tokens", mechanisms("OAUTHBEARER"))
        self.ca = str(server.data_dir / "pki" / "ca.pem")

    def conf(self, **more):
        return {
            "bootstrap.servers": self.address, "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER",
            "ssl.ca.location": self.ca, "log_level": 0, **more,
        }

    def with_token(self, get):
        """Settings of a client whose tokens `get` returns, each with its claims."""

        def callback(_):
            token, claims = get()
            # librdkafka takes no token that is over by its own clock.
            return token, max(claims["exp"], time.time() + 60)

        return self.conf(oauth_cb=callback)

    def refusals(self):
        records = self.server.audit("--kind", "authentication", "--decision", "denied")
        return [record["data"]["result"].get("message", "") for record in records]


@pytest.fixture
def issuer(tmp_path):
    if not NODE_PATH or not shutil.which("node"):
        pytest.skip("NODE_PATH is not set or there is no node: run by 'cargo xtask test'")
    issuer = Issuer(tmp_path)
    yield issuer
    issuer.stop()


@pytest.fixture
def place(fresh, issuer, unique):
    def make(*lines):
        made = Place(fresh(), issuer, *lines)
        made.topic = unique("tokens")
        made.server.run("topic", "create", made.topic)
        for principal in ("User:billing", "Group:robots"):
            made.server.run("acl", "add", "--allow-principal", principal, "--operation", "all", "--topic", made.topic)
        return made

    return make


def send(conf, topic, seconds=TIMEOUT):
    """Delivers one record, or returns the errors of the client."""
    errors, delivered = [], []
    producer = Producer({**conf, "error_cb": errors.append})
    producer.produce(topic, b"x", on_delivery=lambda error, _: (errors if error else delivered).append(error))
    end = time.monotonic() + seconds
    while not delivered and time.monotonic() < end:
        producer.poll(0.2)
        if any(error.code() == KafkaError._AUTHENTICATION for error in errors):
            break
    return [] if delivered else errors or ["not delivered in time"]


def test_a_token_names_user_and_groups_and_new_keys_are_found(place, issuer):
    here = place()
    assert send(here.with_token(lambda: issuer.token("billing")), here.topic) == []
    assert send(here.with_token(lambda: issuer.token("robot")), here.topic) == [], "by its group"
    old, claims = issuer.token("billing")
    issuer.rotate()
    # The key is not known; it was looked for not long ago, so that may take a moment.
    end = time.monotonic() + TIMEOUT
    while send(here.with_token(lambda: issuer.token("billing")), here.topic) != []:
        assert time.monotonic() < end, here.refusals()
    # What the issuer does not vouch for any more is no good.
    assert send(here.with_token(lambda: (old, claims)), here.topic) != []
    assert any("the issuer has no such key" in words for words in here.refusals()), here.refusals()


def test_an_outage_of_the_issuer_and_a_restart_during_it_hinder_nobody_who_has_a_token(place, issuer):
    here = place()
    token = issuer.token("billing")
    assert send(here.with_token(lambda: token), here.topic) == []
    issuer.stop()
    assert send(here.with_token(lambda: token), here.topic) == []
    here.server.stop()
    here.server.start()
    assert send(here.with_token(lambda: token), here.topic) == []


def test_tokens_that_are_not_for_us_are_refused(place, issuer):
    here = place()
    for get, words in [
        (lambda: issuer.token("billing", resource="urn:registry"), "it is for another audience"),
        (lambda: expired(issuer), "it has expired"),
        (lambda: forged(issuer), "its signature is not that of the issuer"),
        (lambda: unsigned(issuer), "its header can't be read"),
    ]:
        got = get()
        errors = send(here.with_token(lambda got=got: got), here.topic)
        assert any(error.code() == KafkaError._AUTHENTICATION for error in errors), (words, errors)
        assert any(words in refusal for refusal in here.refusals()), (words, here.refusals())


def expired(issuer):
    token, claims = issuer.token("short")
    while time.time() <= claims["exp"] + 1:
        time.sleep(0.1)
    return token, claims


def forged(issuer):
    token, claims = issuer.token("billing")
    head, payload, signature = token.split(".")
    other = "A" if signature[10] != "A" else "B"
    return ".".join([head, payload, signature[:10] + other + signature[11:]]), claims


def unsigned(issuer):
    token, claims = issuer.token("billing")
    # {"alg":"none"}
    return f"eyJhbGciOiJub25lIn0.{token.split('.')[1]}.", claims


def test_librdkafka_gets_its_tokens_itself(place, issuer):
    here = place()
    conf = here.conf(**{
        "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "billing",
        "sasl.oauthbearer.client.secret": "secret-of-billing",
        "sasl.oauthbearer.token.endpoint.url": issuer.token_url, "https.ca.location": str(issuer.ca),
    })
    assert send(conf, here.topic) == []


def test_java_gets_its_tokens_itself(place, issuer, java, tmp_path):
    here = place()
    login = (
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="billing" '
        f'clientSecret="secret-of-billing" ssl.truststore.type="PEM" ssl.truststore.location="{issuer.ca}" ;'
    )
    properties = write_properties(
        tmp_path / "token.properties",
        {
            "bootstrap.servers": here.address, "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER",
            "sasl.jaas.config": login, "ssl.truststore.type": "PEM", "ssl.truststore.location": here.ca,
            "sasl.login.callback.handler.class":
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
            "sasl.oauthbearer.token.endpoint.url": issuer.token_url,
        },
    )
    command = java_command(
        "topics", "--bootstrap-server", here.address, "--command-config", properties, "--list",
        options=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.token_url}"],
    )
    listed = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert here.topic in listed.stdout.split(), listed.stdout[-2000:] + listed.stderr[-3000:]
