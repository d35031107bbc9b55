"""Clients see addresses of the gateway, never those of the cluster behind it; and nothing of the gateway's own topic."""

import re
import socket
import ssl
import subprocess

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from gateway_config import BROKER_NAMES, by_host_name
from java import java_command

pytestmark = pytest.mark.gateway_only("what stands behind the gate")
TIMEOUT = 20
STATE_TOPIC = "__schloss_metadata"


def ports_in(text):
    """Every port of loopback that a text names, also as Java prints endpoints and in columns."""
    return {int(port) for port in re.findall(r"(?:localhost|127\.0\.0\.1)'?(?::|, port=|\s+)(\d+)", text)}


@pytest.fixture
def assert_own(cluster):
    """Texts that name addresses, none of them the cluster's."""

    def check(text):
        named = ports_in(text)
        assert named, f"no address in:\n{text}"
        assert not named & set(cluster.ports.values()), text
        return named

    return check


def test_metadata_names_the_gateway_alone(schloss, kcat, assert_own):
    listed = kcat(schloss.client("admin", "conf"), "-L")
    assert listed.returncode == 0, listed.stderr
    brokers = dict(re.findall(r"broker (\d) at (\S+)", listed.stdout))
    assert sorted(brokers) == ["1", "2", "3"] and len(set(brokers.values())) == 3, listed.stdout
    assert_own(listed.stdout)
    assert 'topic "orders" with 3 partitions' in listed.stdout, listed.stdout


def test_admin_answers_name_the_gateway_alone(schloss, assert_own, topic, unique):
    name, group = topic(), unique("addresses")
    schloss.run("produce", name, stdin="x\n")
    schloss.run("consume", name, "--group", group, "--from-beginning", "--max-messages", "1")
    admin = AdminClient(schloss.conf("admin"))
    cluster = admin.describe_cluster().result(TIMEOUT)
    [described] = admin.describe_consumer_groups([group]).values()
    topics = admin.describe_topics(TopicCollection([name]))[name].result(TIMEOUT)
    nodes = [*cluster.nodes, cluster.controller, described.result(TIMEOUT).coordinator, topics.partitions[0].leader]
    assert_own(" ".join(f"{node.host}:{node.port}" for node in nodes))


def test_every_answer_of_javas_admin_names_the_gateway_alone(schloss, program, assert_own, topic, unique):
    name, group = topic(), unique("addresses")
    schloss.run("produce", name, stdin="one\ntwo\n")
    schloss.run("consume", name, "--group", group, "--from-beginning", "--max-messages", "2")
    survey = program("AdminSurvey", schloss.client("admin", "properties"), name, group, "read")
    assert survey.returncode == 0, survey.stdout + survey.stderr
    # The broker's settings are those of its machine, not addresses to connect to; all else counts, the quorum's too.
    lines = [line for line in survey.stdout.splitlines() if '"describeConfigs.broker"' not in line]
    assert_own("\n".join(lines))


@pytest.mark.parametrize("tool", [["cluster", "list-endpoints"], ["broker-api-versions"]])
def test_tools_print_gateway_addresses_alone(schloss, kafka, assert_own, tool):
    result = kafka(
        *tool, "--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert_own(result.stdout)


@pytest.fixture
def by_name(gateway):
    """A gateway that tells brokers apart by the host name that the client asked for, all on one port."""
    return gateway(beside=gateway(), change=by_host_name)


def test_host_names_tell_brokers_apart_on_one_port(by_name, tmp_path, unique):
    hosts = tmp_path / "hosts"
    names = [BROKER_NAMES.replace("{id}", str(number)) for number in (1, 2, 3)]
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ["localhost", *names]))
    java_hosts = [f"-Djdk.net.hosts.file={hosts}"]
    admin = ["--bootstrap-server", by_name.bootstrap, "--command-config", by_name.client("admin", "properties")]
    def run(tool, *arguments, stdin=None):
        result = subprocess.run(
            java_command(tool, *admin, *arguments, options=java_hosts),
            input=stdin, capture_output=True, text=True, timeout=90,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    versions = run("broker-api-versions")
    for name in names:
        assert f"{name}:{by_name.port} (id: " in versions, versions
    topic = unique("by-name")
    run("topics", "--create", "--topic", topic, "--partitions", "6")
    run("console-producer", "--topic", topic, stdin="".join(f"{number}\n" for number in range(60)))
    read = run("console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "60", "--timeout-ms", "20000")
    assert sorted(map(int, read.split())) == list(range(60))


def test_each_host_name_has_a_certificate(by_name):
    context = ssl.create_default_context(cafile=by_name.conf("admin")["ssl.ca.location"])
    for name in (BROKER_NAMES.replace("{id}", "2"), by_name.host):
        with socket.create_connection(("127.0.0.1", by_name.port), TIMEOUT) as raw:
            with context.wrap_socket(raw, server_hostname=name) as wire:
                assert wire.version() in ("TLSv1.2", "TLSv1.3")


@pytest.fixture
def hidden(schloss, cluster):
    """The name and the id of the topic that holds the state; it is there, for whoever asks the cluster."""
    admin = AdminClient(cluster.conf("admin"))
    described = admin.describe_topics(TopicCollection([STATE_TOPIC]))[STATE_TOPIC].result(TIMEOUT)
    # librdkafka writes ids in plain base64, Kafka's own tools in the form for URLs.
    return STATE_TOPIC, str(described.topic_id).replace("/", "_").replace("+", "-")


# The last is what librdkafka says when it was told no leader.
REFUSALS = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._NOENT,
)


def refused(call):
    with pytest.raises(KafkaException) as caught:
        call()
    assert caught.value.args[0].code() in REFUSALS, caught.value


def test_the_state_topic_is_in_no_listing(schloss, hidden, kafka, kcat):
    name, _ = hidden
    assert name not in AdminClient(schloss.conf("admin")).list_topics(timeout=TIMEOUT).topics
    assert name not in kcat(schloss.client("admin", "conf"), "-L").stdout
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    for tool in (["topics", "--list"], ["topics", "--describe"], ["log-dirs", "--describe"], ["get-offsets"]):
        result = kafka(tool[0], *admin, *tool[1:])
        assert result.returncode == 0 and name not in result.stdout, result.stdout + result.stderr


def test_the_state_topic_is_refused_to_an_administrator_by_name(schloss, hidden):
    name, _ = hidden
    admin, conf = AdminClient(schloss.conf("admin")), schloss.conf("admin")
    refused(lambda: admin.describe_topics(TopicCollection([name]))[name].result(TIMEOUT))
    refused(lambda: admin.delete_topics([name])[name].result(TIMEOUT))
    refused(lambda: admin.create_topics([NewTopic(f"{name}-2", 1, 1)])[f"{name}-2"].result(TIMEOUT))
    refused(lambda: admin.create_partitions([NewPartitions(name, 9)])[name].result(TIMEOUT))
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    refused(lambda: admin.describe_configs([resource])[resource].result(TIMEOUT))
    partition = TopicPartition(name, 0, 0)
    refused(lambda: admin.delete_records([partition])[partition].result(TIMEOUT))
    errors = []
    producer = Producer({**conf, "message.timeout.ms": "5000"})
    producer.produce(name, b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(TIMEOUT)
    assert errors[0] and errors[0].code() in (*REFUSALS, KafkaError._MSG_TIMED_OUT), errors
    consumer = Consumer({**conf, "group.id": "hidden"})
    try:
        # librdkafka asks for the leader first, and says only that it was told none.
        with pytest.raises(KafkaException):
            consumer.get_watermark_offsets(partition, timeout=5)
    finally:
        consumer.close()


def test_the_state_topic_is_refused_by_id(schloss, hidden, kafka, cluster):
    _, identity = hidden
    described = ["topics", "--describe", "--topic-id", identity]
    assert STATE_TOPIC in cluster.tool(*described).stdout
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    result = kafka("topics", *admin, *described[1:])
    assert STATE_TOPIC not in result.stdout + result.stderr, result.stdout + result.stderr
    assert "PartitionCount" not in result.stdout, result.stdout


def test_secrets_in_the_state_topic_are_sealed(schloss, hidden, cluster, account):
    """Whoever may read the topic upstream learns no salt, key or password of a user."""
    user = account()
    name, _ = hidden
    # The last records are markers of transactions, which no consumer is given: the end has to be told.
    settings = {"group.id": "peeks", "enable.auto.commit": "false", "enable.partition.eof": "true"}
    consumer = Consumer({**cluster.conf("admin"), **settings})
    try:
        consumer.assign([TopicPartition(name, 0, 0)])
        seen = []
        while True:
            message = consumer.poll(TIMEOUT)
            assert message is not None, f"no end after {len(seen)} records"
            if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                break
            assert not message.error(), message.error()
            seen.append((message.key() or b"") + b" " + (message.value() or b""))
    finally:
        consumer.close()
    text = b"\n".join(seen)
    assert user.name.encode() in text, "the topic holds the state"
    for secret in (user.password, "stored_key", "server_key", '"salt"'):
        assert secret.encode() not in text, secret
