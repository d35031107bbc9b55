"""Quotas: set and shown by the stock tools and by ours, and kept by clients that know nothing of them.

A window of eleven seconds is free, as in Kafka. What is sent beyond it takes its time: no machine is too slow to show that.
"""

import json
import os
import re
import socket
import ssl
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

WINDOW_SECONDS = 11
RATE = 200_000
RECORD_BYTES = 10_000
# Records for a window and five seconds.
RECORDS = RATE * (WINDOW_SECONDS + 5) // RECORD_BYTES
SMALL_BATCHES = {"linger_ms": 0, "batch_size": 4 * RECORD_BYTES}
# The last requests are not waited for.
SECONDS_MIN = 4.5
# What a machine with better things to do may take besides.
SECONDS_MAX = 60

kept_here = pytest.mark.serve_only("behind a gateway the brokers of the cluster keep quotas")


@pytest.fixture
def quota(schloss):
    """Sets quotas, and removes them when the test is over."""
    named = []

    def set_quotas(*whom, **quotas):
        named.append(whom)
        schloss.run("quota", "set", *whom, *(f"{name}={value}" for name, value in quotas.items()))

    yield set_quotas
    for whom in named:
        schloss.run("quota", "remove", *whom, "--yes")


@pytest.fixture
def configs(schloss, kafka):
    """Runs `kafka-configs` as the administrator."""
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    return lambda *arguments: kafka("configs", *admin, *arguments)


def listed(schloss, *whom):
    """What `schloss quota list` says, as {entity: {quota: value}}."""
    found = {}
    for row in json.loads(schloss.run("quota", "list", *whom, "--output", "json").stdout):
        entity = ",".join(f"{kind}={name or '<default>'}" for kind, name in sorted(row["entity"].items()))
        found.setdefault(entity, {})[row["quota"]] = row["value"]
    return found


def throttled(schloss, user, quota):
    """Audit records of `user` being over `quota`, once there is one."""
    end = time.monotonic() + 30
    while True:
        records = schloss.audit("--principal", user.name, "--operation", "Throttle")
        over = [record for record in records if quota in json.dumps(record)]
        if over:
            return over
        assert time.monotonic() < end, records
        time.sleep(0.1)


def test_kafka_configs_and_our_command_line_set_describe_and_remove_the_same_quotas(schloss, configs, unique):
    user, client, address = unique("quota-user"), unique("quota-client"), "192.0.2.7"
    # Large enough for the default ones to hinder nobody.
    large = 10**12
    named_user, named_client = ["--entity-type", "users", "--entity-name", user], ["--entity-type", "clients", "--entity-name", client]
    entities = [
        (named_user, ["--user", user], f"user={user}"),
        ([*named_user, *named_client], ["--user", user, "--client-id", client], f"client-id={client},user={user}"),
        (["--entity-type", "clients", "--entity-default"], ["--default-client-id"], "client-id=<default>"),
        (["--entity-type", "users", "--entity-default"], ["--default-user"], "user=<default>"),
        (["--entity-type", "ips", "--entity-name", address], ["--ip", address], f"ip={address}"),
    ]
    for theirs, ours, entity in entities:
        connections = "ips" in theirs
        wanted = {"connection_creation_rate": 1000} if connections else {"producer_byte_rate": large, "request_percentage": 5000.5}
        try:
            settings = ",".join(f"{name}={value}" for name, value in wanted.items())
            done = configs("--alter", "--add-config", settings, *theirs)
            assert done.returncode == 0, done.stdout + done.stderr
            assert listed(schloss, *ours)[entity] == wanted
            described = configs("--describe", *theirs)
            for name, value in wanted.items():
                shown = re.search(rf"{name}=([0-9.E]+)", described.stdout)
                assert shown and float(shown[1]) == value, described.stdout + described.stderr
        finally:
            gone = configs("--alter", "--delete-config", ",".join(wanted), *theirs)
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert entity not in listed(schloss, *ours)


def test_kafka_configs_is_told_what_is_wrong(configs, unique):
    of_user = ["--entity-type", "users", "--entity-name", unique("quota-user")]
    refused = configs("--alter", "--add-config", "producer_byte_rate=0", *of_user)
    assert refused.returncode != 0 and "greater than 0" in refused.stdout + refused.stderr, refused.stdout + refused.stderr
    refused = configs("--alter", "--add-config", "producer_byte_rate=1.5", *of_user)
    assert refused.returncode != 0, refused.stdout + refused.stderr


def test_quotas_of_our_command_line_for_people_and_programs(schloss, configs, quota, unique):
    user, client = unique("quota-user"), unique("quota-client")
    quota("--user", user, "--default-client-id", consumer_byte_rate=1048576, controller_mutation_rate=2.5)
    described = configs("--describe", "--entity-type", "users", "--entity-name", user, "--entity-type", "clients", "--entity-default")
    assert "consumer_byte_rate=1048576.0" in described.stdout and "controller_mutation_rate=2.5" in described.stdout, described.stdout
    quota("--client-id", client, producer_byte_rate=1000)
    table = schloss.run("quota", "list", "--user", user, "--default-client-id").stdout
    assert f"user {user}, client-id <default>" in table and "1048576" in table and "2.5" in table, table
    assert client not in table
    gone = schloss.run("quota", "remove", "--client-id", client, "producer_byte_rate", "--yes", "--output", "json")
    assert json.loads(gone.stdout) == {"removed": 1}
    assert "no quota is set" in schloss.run("quota", "list", "--client-id", client).stdout
    assert listed(schloss, "--client-id", client) == {}
    for wrong in (["set", "producer_byte_rate=1"], ["set", "--user", user, "producer_byte_rate"], ["set", "--user", user, "--ip", "::1", "x=1"]):
        assert schloss.run("quota", *wrong, check=False).returncode == 2
    refused = schloss.run("quota", "set", "--user", user, "producer_byte_rate=-1", check=False)
    assert refused.returncode == 1 and "greater than 0" in refused.stderr, refused.stderr
    nobody = schloss.run("quota", "set", "--user", user, "no_such_rate=1", check=False)
    assert nobody.returncode == 1 and "no_such_rate" in nobody.stderr, nobody.stderr


@kept_here
def test_a_librdkafka_producer_keeps_to_producer_byte_rate(schloss, account, topic, quota):
    name = topic()
    user = account(["--operation", "write", "--topic", name])
    quota("--user", user.name, producer_byte_rate=RATE)
    told, errors = [], []
    producer = Producer({**user.conf(**SMALL_BATCHES), "throttle_cb": lambda event: told.append(event.throttle_time)})
    begun = time.monotonic()
    for _ in range(RECORDS):
        producer.produce(name, os.urandom(RECORD_BYTES), on_delivery=lambda error, _: error and errors.append(error))
        producer.poll(0)
    assert producer.flush(SECONDS_MAX) == 0, "it is held to less than its rate"
    seconds = time.monotonic() - begun
    # What was throttled is on record when its session ends.
    del producer
    assert errors == []
    assert seconds > SECONDS_MIN, f"{RECORDS * RECORD_BYTES} bytes in {seconds:.1f} s"
    assert told and max(told) > 0
    throttled(schloss, user, "producer_byte_rate")


@kept_here
def test_a_java_producer_keeps_to_producer_byte_rate_of_its_client_id(schloss, account, topic, quota, kafka, unique):
    name, client = topic(), unique("quota-client")
    user = account(["--operation", "write", "--topic", name])
    quota("--client-id", client, producer_byte_rate=RATE)
    done = kafka(
        "producer-perf-test", "--topic", name, "--num-records", RECORDS, "--record-size", RECORD_BYTES, "--throughput", "-1",
        "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--command-property", f"client.id={client}", "enable.idempotence=false", "--print-metrics",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = next(line for line in done.stdout.splitlines() if line.startswith(f"{RECORDS} records sent"))
    seconds = RECORDS / float(summary.split(", ")[1].split()[0])
    assert SECONDS_MIN < seconds < SECONDS_MAX, summary
    told = next(line for line in done.stdout.splitlines() if "produce-throttle-time-max" in line)
    assert float(told.rsplit(":", 1)[1]) > 0, told


@kept_here
def test_a_librdkafka_consumer_keeps_to_consumer_byte_rate(schloss, account, topic, quota):
    name = topic()
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", "*"])
    producer = Producer(user.conf(**SMALL_BATCHES))
    for _ in range(RECORDS):
        producer.produce(name, os.urandom(RECORD_BYTES))
        producer.poll(0)
    assert producer.flush(SECONDS_MAX) == 0
    quota("--user", user.name, consumer_byte_rate=RATE)
    consumer = Consumer(user.conf(group_id="none", fetch_message_max_bytes=4 * RECORD_BYTES))
    begun, count = time.monotonic(), 0
    try:
        consumer.assign([TopicPartition(name, 0, 0)])
        while count < RECORDS and time.monotonic() < begun + SECONDS_MAX:
            message = consumer.poll(0.2)
            assert message is None or message.error() is None, message.error()
            count += message is not None
        seconds = time.monotonic() - begun
    finally:
        consumer.close()
    assert count == RECORDS, "it is held to less than its rate"
    assert seconds > SECONDS_MIN, f"{RECORDS * RECORD_BYTES} bytes in {seconds:.1f} s"
    throttled(schloss, user, "consumer_byte_rate")


@kept_here
def test_request_percentage_slows_a_client_down(schloss, account, topic, quota):
    name = topic()
    user = account(["--operation", "write", "--topic", name])
    # A tenth of a millisecond of work is free, and a pause is a second at most.
    quota("--user", user.name, request_percentage=0.001)
    producer = Producer(user.conf(linger_ms=0))
    begun = time.monotonic()
    for _ in range(6):
        producer.produce(name, b"x")
        assert producer.flush(SECONDS_MAX) == 0
    seconds = time.monotonic() - begun
    del producer
    assert seconds > 3, f"six requests, a second of waiting after most, in {seconds:.1f} s"
    throttled(schloss, user, "request_percentage")


@kept_here
def test_controller_mutation_rate_refuses_topics_or_has_their_makers_wait(schloss, account, quota, kafka, unique):
    prefix = unique("mutated")
    user = account(*(["--operation", operation, "--topic", prefix, "--pattern", "prefixed"] for operation in ("create", "describe")))
    quota("--user", user.name, controller_mutation_rate=1)

    def create(name, partitions):
        return kafka(
            "topics", "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
            "--create", "--topic", f"{prefix}-{name}", "--partitions", partitions,
        )

    # Owes five minutes: no machine takes so long to start the second one.
    large = create("large", WINDOW_SECONDS + 300)
    assert large.returncode == 0, large.stdout + large.stderr
    refused = create("small", 1)
    assert refused.returncode == 1 and "ThrottlingQuotaExceededException" in refused.stderr, refused.stdout + refused.stderr
    throttled(schloss, user, "controller_mutation_rate")
    quota("--user", user.name, controller_mutation_rate=2)
    small = create("small", 1)
    assert small.returncode == 0, small.stdout + small.stderr
    # librdkafka does not know how to be refused: it is served, and waits.
    owed = 4
    admin = AdminClient(user.conf())
    begun = time.monotonic()
    for name, partitions in ((f"{prefix}-first", 2 * (WINDOW_SECONDS + owed)), (f"{prefix}-second", 1)):
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
    assert time.monotonic() - begun > owed - 0.5


@kept_here
def test_connection_creation_rate_has_the_connections_of_an_address_wait(schloss, quota):
    rate, waiting = 2, 6
    address = "127.0.0.2"
    quota("--ip", address, connection_creation_rate=rate)
    context = ssl.create_default_context(cafile=schloss.conf("admin")["ssl.ca.location"])

    def connect(source):
        plain = socket.create_connection(("127.0.0.1", schloss.port), timeout=30, source_address=(source, 0))
        return context.wrap_socket(plain, server_hostname="localhost")

    begun, opened = time.monotonic(), []
    try:
        for _ in range(rate * WINDOW_SECONDS + waiting):
            opened.append(connect(address))
        seconds = time.monotonic() - begun
        assert seconds > waiting / rate - 0.5, f"{len(opened)} connections in {seconds:.1f} s"
        # Nobody else waits for them.
        opened.append(connect("127.0.0.3"))
    finally:
        for connection in opened:
            connection.close()
