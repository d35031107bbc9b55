"""Who the gateway is upstream, and a gateway that only watches."""

import pytest
from accounts import make_account
from confluent_kafka import KafkaError, Producer
from gateway_config import impersonating, observing
from test_librdkafka import consume, produce

pytestmark = pytest.mark.gateway_only("settings of the gateway")
TIMEOUT = 20


def codes(errors):
    return [error.code() for error in errors]


def test_impersonation_lets_the_clusters_own_authorizer_judge_the_client(gateway, cluster, unique):
    first = gateway()
    server = gateway(beside=first, change=impersonating)
    topic, group = unique("impersonated"), unique("impersonated-group")
    name = unique("impersonated-user")
    first.run("topic", "create", topic, "--partitions", "1")
    user = make_account(server, name, ["--operation", "all", "--topic", topic], ["--operation", "read", "--group", group])
    # Ours allows it, the cluster's does not know the user; through the service principal it would have passed.
    assert codes(produce(user.conf(), topic, [b"x"])) == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    passed = {**user.conf(), "bootstrap.servers": first.bootstrap}
    assert produce(passed, topic, [b"by the service principal"]) == []
    cluster.acls("--add", "--allow-principal", f"User:{name}", "--operation", "All", "--topic", topic)
    cluster.acls("--add", "--allow-principal", f"User:{name}", "--operation", "Read", "--group", group)
    assert produce(user.conf(), topic, [b"by the user"]) == []
    assert consume(user.conf(), topic, 2, group) == [b"by the service principal", b"by the user"]
    # Neither the cluster's ACLs alone are enough.
    first.run("acl", "remove", "--principal", f"User:{name}", "--yes")
    denied = codes(produce({**user.conf(), "message.timeout.ms": "5000"}, topic, [b"x"]))
    assert denied[0] in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._MSG_TIMED_OUT), denied


def test_two_users_on_one_impersonating_gateway_are_two_users_upstream(gateway, cluster, unique):
    server = gateway(beside=gateway(), change=impersonating)
    topics = [unique("impersonated") for _ in range(2)]
    users = [make_account(server, unique("impersonated-user"), ["--operation", "all", "--topic", "*"]) for _ in range(2)]
    for topic, user in zip(topics, users):
        cluster.run("topic", "create", topic, "--partitions", "1")
        cluster.acls("--add", "--allow-principal", f"User:{user.name}", "--operation", "All", "--topic", topic)
    for number, user in enumerate(users):
        for index, topic in enumerate(topics):
            wanted = [] if index == number else [KafkaError.TOPIC_AUTHORIZATION_FAILED]
            assert codes(produce(user.conf(), topic, [b"x"])) == wanted, (user.name, topic)


def test_observing_denies_nothing_and_records_everything(gateway, unique):
    first = gateway()
    server = gateway(beside=first, change=observing)
    topic, group = unique("observed"), unique("observed-group")
    first.run("topic", "create", topic, "--partitions", "1")
    user = make_account(server, unique("observed-user"))
    assert codes(produce({**user.conf(), "bootstrap.servers": first.bootstrap}, topic, [b"x"])) == [
        KafkaError.TOPIC_AUTHORIZATION_FAILED
    ]
    assert produce(user.conf(), topic, [b"observed"]) == []
    assert consume(user.conf(), topic, 1, group) == [b"observed"]
    for operation, resource in (("write", topic), ("read", topic), ("read", group)):
        records = server.await_audit("--principal", user.name, "--operation", operation, "--resource", resource)
        assert any("would be denied" in str(record) for record in records), records
    # A wrong password is refused all the same: observing is about rights, not about who somebody is.
    errors = []
    producer = Producer({**user.conf(), "sasl.password": "wrong", "error_cb": errors.append, "log_level": 0})
    while not any(error.code() == KafkaError._AUTHENTICATION for error in errors):
        producer.poll(TIMEOUT)
        assert errors
