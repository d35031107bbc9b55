"""Who leaves: `schloss user disable`, `account` and `offboard` against clients that are connected."""

import json
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

TIMEOUT = 20


def hears_of_its_end(client, seconds):
    """Whether a client is told within so many seconds that it can't log in any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.poll(0.05)
        if any(error.code() == KafkaError._AUTHENTICATION for error in client.errors):
            return True
    return False


class Watched:
    """A client with the errors that it was told of."""

    def __init__(self, kind, conf):
        self.errors = []
        self.client = kind({**conf, "error_cb": self.errors.append, "log_level": 0, "reconnect.backoff.ms": 10})

    def poll(self, seconds):
        return self.client.poll(seconds)


@pytest.fixture
def leaver(account, topic):
    name = topic()
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", "*"], prefix="leaver")
    return user, name


def test_offboarding_ends_connections_and_takes_every_right(schloss, leaver, unique):
    user, topic = leaver
    schloss.run("group", "add", unique("team"), "--member", f"User:{user.name}", check=False)
    producer = Watched(Producer, user.conf())
    producer.client.produce(topic, b"before")
    assert producer.client.flush(TIMEOUT) == 0
    # A fetch that waits for records must not hold its connection open.
    consumer = Watched(Consumer, {**user.conf(), "group.id": unique("group"), "fetch.wait.max.ms": 20000, "auto.offset.reset": "latest"})
    consumer.client.subscribe([topic])
    end = time.monotonic() + TIMEOUT
    while not consumer.client.assignment():
        assert time.monotonic() < end
        consumer.poll(0.2)
    planned = schloss.run("user", "offboard", user.name, "--dry-run").stdout
    assert f"- user {user.name} (SCRAM-SHA-512)" in planned and "- acl" in planned, planned
    assert producer.errors == []
    done = schloss.run("user", "offboard", user.name, "--yes").stdout
    assert done == planned
    cut = schloss.await_audit("--kind", "connection", "--principal", user.name, count=2, seconds=3)
    assert all("was removed" in record["data"]["result"]["message"] for record in cut), cut
    assert hears_of_its_end(producer, 10) and hears_of_its_end(consumer, 10)
    consumer.client.close()
    assert user.name not in schloss.run("acl", "list", "--output", "json").stdout
    actions = schloss.audit("--kind", "administration", "--principal", "admin")
    removed = [record for record in actions if user.name in json.dumps(record["data"].get("change") or {})]
    assert removed, "it is on record"


def test_a_disabled_user_comes_back_when_it_is_enabled(schloss, leaver):
    user, topic = leaver
    producer = Watched(Producer, user.conf())
    producer.client.produce(topic, b"before")
    assert producer.client.flush(TIMEOUT) == 0
    schloss.run("user", "disable", user.name)
    assert hears_of_its_end(producer, 10)
    schloss.run("user", "enable", user.name)
    schloss.run("user", "account", user.name, "--kind", "service", "--owner", "alice", "--until", "1d")
    listed = json.loads(schloss.run("user", "accounts", "--output", "json").stdout)
    mine = next(row for row in listed if row["user"] == user.name)
    assert (mine["kind"], mine["owner"], mine["disabled"]) == ("service", "alice", False), mine
    producer.client.produce(topic, b"after")
    assert producer.client.flush(TIMEOUT) == 0


def test_an_api_key_is_rotated_without_downtime(schloss, leaver):
    user, topic = leaver

    def add_key():
        made = json.loads(schloss.run("user", "add-key", user.name, "--output", "json").stdout)
        return made["key"], {**user.conf(), "sasl.username": made["key"], "sasl.password": made["secret"]}

    (old, with_old), (new, with_new) = add_key(), add_key()
    producers = []
    for conf in (with_old, with_new):
        producers.append(Watched(Producer, conf))
        producers[-1].client.produce(topic, b"x")
        assert producers[-1].client.flush(TIMEOUT) == 0, "it has the rights of its account"
    schloss.run("user", "remove-key", old)
    assert hears_of_its_end(producers[0], 10)
    producers[1].client.produce(topic, b"x")
    assert producers[1].client.flush(TIMEOUT) == 0 and producers[1].errors == []
    logins = schloss.audit("--kind", "authentication", "--principal", user.name)
    assert any(new in (record["data"]["result"].get("message") or "") for record in logins), logins
