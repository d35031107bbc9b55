"""Retention, compaction and the deletion of records, set with stock tools and seen by stock clients."""

import json
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

pytestmark = pytest.mark.serve_only("a cluster keeps its own logs")

TIMEOUT = 60
# librdkafka wants one, though nothing is committed.
GROUP = "cleanup"


@pytest.fixture
def user(account):
    def make(topic):
        operations = ["--operation", "read", "--operation", "write", "--operation", "describe"]
        return account([*operations, "--topic", topic], ["--operation", "read", "--group", GROUP])

    return make


@pytest.fixture
def set_configs(schloss, kafka):
    def alter(topic, **configs):
        pairs = ",".join(f"{name.replace('_', '.')}={value}" for name, value in configs.items())
        altered = kafka(
            "configs", "--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties"),
            "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", pairs,
        )
        assert altered.returncode == 0, altered.stdout + altered.stderr

    return alter


def produce(conf, topic, records, **settings):
    errors = []
    producer = Producer({**conf, **settings})
    for key, value in records:
        producer.produce(topic, value, key=key, on_delivery=lambda error, _: error and errors.append(error))
    assert producer.flush(TIMEOUT) == 0 and errors == []


def read(conf, topic):
    """Offset, key and value of all records, and the first offset."""
    consumer = Consumer({**conf, "group.id": GROUP, "enable.auto.commit": False, "enable.partition.eof": True})
    try:
        low, _ = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=TIMEOUT)
        consumer.assign([TopicPartition(topic, 0, low)])
        records, end = [], time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                return low, records
            records.append((message.offset(), message.key().decode(), message.value() and message.value().decode()))
        pytest.fail("the end of the partition was not reached")
    finally:
        consumer.close()


def read_until(conf, topic, wanted):
    end = time.monotonic() + TIMEOUT
    while True:
        seen = read(conf, topic)
        if wanted(*seen) or time.monotonic() > end:
            return seen
        time.sleep(0.5)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_a_compacted_topic_keeps_the_newest_value_of_each_key(schloss, topic, user, set_configs, codec):
    name = topic("compacted")
    conf = user(name).conf()
    set_configs(name, cleanup_policy="compact")
    for number in range(40):
        produce(conf, name, [(f"key-{key}", f"{number}") for key in range(5)], **{"compression.type": codec})
    produce(conf, name, [("key-0", None)])
    # From here on the file is old, and all of it is dirty.
    set_configs(name, segment_ms="1", min_cleanable_dirty_ratio="0")
    low, records = read_until(conf, name, lambda _, records: len(records) == 5)
    assert low == 0
    assert records == [(195 + key, f"key-{key}", "39") for key in range(1, 5)] + [(200, "key-0", None)]


def test_a_record_without_a_key_is_refused_by_a_compacted_topic(schloss, topic, user, set_configs):
    name = topic("compacted")
    conf = user(name).conf()
    set_configs(name, cleanup_policy="compact")
    errors = []
    producer = Producer(conf)
    producer.produce(name, "value", on_delivery=lambda error, _: errors.append(error.name()))
    assert producer.flush(TIMEOUT) == 0
    assert errors == ["INVALID_RECORD"]


def test_old_segments_go_as_soon_as_retention_says_so(schloss, topic, user, set_configs):
    name = topic("retained")
    conf = user(name).conf()
    produce(conf, name, [("key", "value")] * 10)
    set_configs(name, retention_ms="1")
    assert read_until(conf, name, lambda low, _: low == 10) == (10, [])
    produce(conf, name, [("key", "value")])


@pytest.mark.parametrize("codec", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_batches_are_stored_in_the_topics_codec(schloss, kafka, topic, user, set_configs, codec):
    name = topic("recompressed")
    account = user(name)
    set_configs(name, compression_type=codec)
    values = [f"value-{number}" for number in range(50)]
    produce(account.conf(), name, [("key", value) for value in values], **{"compression.type": "snappy"})
    assert [value for _, _, value in read(account.conf(), name)[1]] == values
    consumed = kafka(
        "console-consumer",
        "--bootstrap-server", schloss.bootstrap,
        "--command-config", account.properties,
        "--topic", name, "--partition", "0", "--offset", "earliest", "--max-messages", "50", "--timeout-ms", "20000",
    )
    assert consumed.stdout.split() == values, consumed.stderr


def test_records_are_deleted_with_the_stock_tool(schloss, kafka, topic, user, tmp_path):
    name = topic("deleted")
    conf = user(name).conf()
    produce(conf, name, [("key", f"{number}") for number in range(10)])
    offsets = tmp_path / "offsets.json"
    for offset, low in ((4, 4), (2, 4), (-1, 10)):
        offsets.write_text(json.dumps({"partitions": [{"topic": name, "partition": 0, "offset": offset}], "version": 1}))
        deleted = kafka(
            "delete-records",
            "--bootstrap-server", schloss.bootstrap,
            "--command-config", schloss.client("admin", "properties"),
            "--offset-json-file", offsets,
        )
        assert f"low_watermark: {low}" in deleted.stdout, deleted.stdout + deleted.stderr
        assert read(conf, name)[0] == low
