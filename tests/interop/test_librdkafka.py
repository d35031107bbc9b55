"""librdkafka through confluent-kafka: what its users do and the errors that they expect."""

import collections
import threading
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TIMEOUT = 20


def produce(conf, topic, values, **headers):
    """Delivers every value and returns the delivery errors."""
    errors = []
    producer = Producer(conf)
    for index, value in enumerate(values):
        producer.produce(topic, value, key=str(index), on_delivery=lambda error, _: error and errors.append(error))
        producer.poll(0)
    assert producer.flush(TIMEOUT) == 0, "not delivered in time"
    return errors


def consume(conf, topic, count, group, seconds=TIMEOUT):
    """The values of `count` records read through a group."""
    consumer = Consumer({**conf, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    values, end = [], time.monotonic() + seconds
    try:
        while len(values) < count and time.monotonic() < end:
            message = consumer.poll(0.2)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            values.append(message.value())
        consumer.commit(asynchronous=False)
        return values
    finally:
        consumer.close()


def test_the_quickstart_files_work_as_they_are(schloss):
    value = uuid.uuid4().bytes
    assert produce(schloss.conf("orders-producer"), "orders", [value]) == []
    consumer = Consumer({**schloss.conf("orders-consumer"), "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    end = time.monotonic() + TIMEOUT
    try:
        while time.monotonic() < end:
            message = consumer.poll(0.2)
            if message and not message.error() and message.value() == value:
                return
        pytest.fail("the record did not come back")
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_records_come_back_as_they_went(account, topic, unique, codec, idempotent):
    name = topic()
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", "*"])
    values = [f"{index}-{'x' * (index % 700)}".encode() for index in range(2000)]
    conf = user.conf(compression_type=codec, enable_idempotence=str(idempotent).lower())
    assert produce(conf, name, values) == []
    assert consume(user.conf(), name, len(values), unique("group")) == values


def test_scram_sha_256_works_too(account, topic):
    name = topic()
    user = account(["--operation", "write", "--topic", name])
    assert produce(user.conf(sasl_mechanism="SCRAM-SHA-256"), name, [b"x"]) == []


def test_a_wrong_password_is_an_authentication_error(schloss):
    errors = []
    producer = Producer(
        {**schloss.conf("orders-producer"), "sasl.password": "wrong", "error_cb": errors.append, "log_level": 0}
    )
    end = time.monotonic() + TIMEOUT
    while not any(error.code() == KafkaError._AUTHENTICATION for error in errors):
        assert time.monotonic() < end, errors
        producer.poll(0.1)
    denied = schloss.await_audit("--kind", "authentication", "--decision", "denied", "--principal", "orders-producer")
    assert denied[-1]["data"]["authenticationInfo"]["metadata"]["mechanism"] == "SCRAM-SHA-512"


def test_an_unknown_user_gets_the_same_error_as_a_wrong_password(schloss):
    seen = []
    for user in ["orders-producer", "nobody-of-that-name"]:
        errors = []
        producer = Producer(
            {
                **schloss.conf("orders-producer"),
                "sasl.username": user,
                "sasl.password": "wrong",
                "error_cb": errors.append,
                "log_level": 0,
            }
        )
        end = time.monotonic() + TIMEOUT
        while not any(error.code() == KafkaError._AUTHENTICATION for error in errors):
            assert time.monotonic() < end, errors
            producer.poll(0.1)
        text = next(error.str() for error in errors if error.code() == KafkaError._AUTHENTICATION)
        seen.append(text.split("SASL authentication error:")[1].split("(after")[0].strip())
    assert seen[0] == seen[1]


def test_producing_without_an_acl_is_topic_authorization_failed(account, topic):
    name = topic()
    user = account(["--operation", "describe", "--topic", name])
    errors = produce(user.conf(), name, [b"x"])
    assert [error.code() for error in errors] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_a_topic_that_one_may_not_describe_looks_forbidden_whether_it_exists_or_not(account, topic):
    name = topic()
    user = account()
    for asked in [name, "no-such-topic"]:
        with pytest.raises(KafkaException) as caught:
            admin = AdminClient(user.conf())
            admin.describe_topics(TopicCollection([asked]))[asked].result(TIMEOUT)
        assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_consuming_without_a_topic_acl_is_topic_authorization_failed(account, topic, unique):
    name = topic()
    user = account(["--operation", "describe", "--topic", name], ["--operation", "read", "--group", "*"])
    with pytest.raises(KafkaException) as caught:
        consume(user.conf(), name, 1, unique("group"), seconds=TIMEOUT)
    assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_consuming_without_a_group_acl_is_group_authorization_failed(account, topic, unique):
    name = topic()
    user = account(["--operation", "read", "--topic", name])
    with pytest.raises(KafkaException) as caught:
        consume(user.conf(), name, 1, unique("group"), seconds=TIMEOUT)
    assert caught.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_a_deny_acl_beats_an_allow_acl_on_an_open_connection(schloss, account, topic):
    name = topic()
    user = account(["--operation", "write", "--topic", name])
    producer = Producer(user.conf())
    results = []
    producer.produce(name, b"allowed", on_delivery=lambda error, _: results.append(error))
    assert producer.flush(TIMEOUT) == 0 and results == [None]
    schloss.run("acl", "add", "--deny-principal", f"User:{user.name}", "--operation", "write", "--topic", name)
    producer.produce(name, b"denied", on_delivery=lambda error, _: results.append(error))
    assert producer.flush(TIMEOUT) == 0
    assert results[1].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    denied = schloss.await_audit("--principal", user.name, "--decision", "denied", "--operation", "write")
    assert "deny" in denied[-1]["data"]["authorizationInfo"]["rule"].lower()


def test_topics_are_made_and_deleted_by_the_admin_client(schloss, unique):
    admin = AdminClient(schloss.conf("admin"))
    name = unique("made")
    admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])[name].result(TIMEOUT)
    assert len(admin.list_topics(name, timeout=TIMEOUT).topics[name].partitions) == 3
    with pytest.raises(KafkaException) as caught:
        admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])[name].result(TIMEOUT)
    assert caught.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    admin.delete_topics([name])[name].result(TIMEOUT)
    assert name not in admin.list_topics(timeout=TIMEOUT).topics


def test_the_admin_client_denied_leaves_an_audit_record(schloss, account, unique):
    user = account()
    name = unique("forbidden")
    admin = AdminClient(user.conf())
    with pytest.raises(KafkaException) as caught:
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(TIMEOUT)
    assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    records = schloss.await_audit("--principal", user.name, "--operation", "create", "--decision", "denied")
    assert records[-1]["data"]["methodName"] == "kafka.CreateTopics"


def test_three_members_rebalance_without_losing_or_repeating_a_committed_record(schloss, account, topic, unique):
    """Members join one by one, one leaves; every record is handled once, since each commits what it handled."""
    name, group = topic(partitions=6), unique("group")
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", group])
    total, handled, lock, stop = 3000, [], threading.Lock(), threading.Event()
    leave_early = threading.Event()
    assigned = collections.Counter()

    def member(number):
        consumer = Consumer(
            {
                **user.conf(),
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": "false",
                "session.timeout.ms": "6000",
                "heartbeat.interval.ms": "300",
            }
        )

        def on_assign(_, partitions):
            assigned[number] = max(assigned[number], len(partitions))

        consumer.subscribe([name], on_assign=on_assign)
        try:
            while not stop.is_set():
                if number == 2 and leave_early.is_set():
                    return
                message = consumer.poll(0.05)
                if message is None or message.error():
                    continue
                offsets = [TopicPartition(name, message.partition(), message.offset() + 1)]
                try:
                    consumer.commit(offsets=offsets, asynchronous=False)
                except KafkaException as error:
                    # Not committed, so not handled: whoever has the partition now gets the record again.
                    assert error.args[0].code() in (
                        KafkaError.ILLEGAL_GENERATION,
                        KafkaError.UNKNOWN_MEMBER_ID,
                        KafkaError.REBALANCE_IN_PROGRESS,
                        KafkaError._WAIT_COORD,
                    ), error
                    continue
                with lock:
                    handled.append((message.partition(), message.offset(), message.value()))
        finally:
            consumer.close()

    threads = [threading.Thread(target=member, args=(number,)) for number in range(3)]
    threads[0].start()
    producer = Producer(user.conf())
    for index in range(total):
        producer.produce(name, str(index).encode(), partition=index % 6)
        if index == total // 4:
            producer.flush(TIMEOUT)
            threads[1].start()
            threads[2].start()
        if index == 3 * total // 4:
            producer.flush(TIMEOUT)
            end = time.monotonic() + TIMEOUT
            while not all(assigned[number] for number in range(3)):
                assert time.monotonic() < end, f"not all members got partitions: {assigned}"
                time.sleep(0.05)
            leave_early.set()
        producer.poll(0)
    assert producer.flush(TIMEOUT) == 0
    end = time.monotonic() + 60
    while len(handled) < total and time.monotonic() < end:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert len({(partition, offset) for partition, offset, _ in handled}) == len(handled), "a record was repeated"
    assert {value for _, _, value in handled} == {str(index).encode() for index in range(total)}, "a record was lost"


def test_committed_offsets_topics_users_and_records_survive_kill_9(fresh):
    server = fresh()
    values = [str(index).encode() for index in range(500)]
    assert produce(server.conf("orders-producer"), "orders", values[:250]) == []
    first = consume(server.conf("orders-consumer"), "orders", 250, "orders-app")
    server.run("topic", "create", "kept", "--partitions", "2")
    server.run("user", "add", "kept", "--password-stdin", stdin="kept-password-123")
    server.run("acl", "add", "--allow-principal", "User:kept", "--operation", "write", "--topic", "kept")
    port = server.port
    server.kill()
    server.output.clear()
    server.start()
    assert server.port == port
    assert produce(server.conf("orders-producer"), "orders", values[250:]) == []
    # Each of the two starts has written a record of its self-check besides.
    rest = consume(server.conf("orders-consumer"), "orders", 252, "orders-app")
    mine = [value for value in first + rest if not value.startswith(b"written by")]
    assert sorted(mine) == sorted(values), "committed records came again, or some were lost"
    topics = server.run("topic", "list").stdout
    assert "kept" in topics
    conf = {**server.conf("admin"), "sasl.username": "kept", "sasl.password": "kept-password-123"}
    assert produce(conf, "kept", [b"x"]) == []
