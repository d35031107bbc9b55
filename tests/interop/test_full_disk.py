"""A disk that is full, a really small one: writes wait, reads and deletions go on, and space that comes back is used."""

import os
import subprocess
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from deliveries import SECONDS, Load, assert_nothing_lost_or_repeated, read_all
from engines import Schloss
from topics import set_configs

pytestmark = pytest.mark.serve_only("its own disk is full")
SIZE_MIB = 48
VALUE = b"x" * 100_000


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, `SIZE_MIB` large."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("file systems can't be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def broker(small_disk):
    server = Schloss(small_disk / "data")
    yield server
    server.end_well()


def error_of(conf, topic):
    """What a producer that tries once is told."""
    told = []
    producer = Producer({**conf, "acks": "all", "retries": 0})
    producer.produce(topic, VALUE, on_delivery=lambda error, _: told.append(error))
    assert producer.flush(SECONDS) == 0
    return told[0]


def fill(conf, topic):
    """Until nothing more is taken; how many values were, and why no more."""
    taken, errors = [], []

    def delivered(error, _):
        errors.append(error) if error else taken.append(True)

    producer = Producer({**conf, "acks": "all", "retries": 0, "linger.ms": 0})
    for _ in range(SIZE_MIB * 20):
        producer.produce(topic, VALUE, on_delivery=delivered)
        producer.flush(SECONDS)
        if errors:
            return len(taken), errors[0]
    pytest.fail("the disk was never full")


def committed(conf, topic, offset=None, group="of-the-small-disk"):
    """The offset that a group has committed; with `offset` it commits that first."""
    consumer = Consumer({**conf, "group.id": group, "enable.auto.commit": False})
    try:
        if offset is not None:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        [found] = consumer.committed([TopicPartition(topic, 0)], timeout=SECONDS)
        return found.offset
    finally:
        consumer.close()


class Commits:
    """Commits one offset after the other; `last` is the last that was taken."""

    GROUP = "commits-on-and-on"

    def __init__(self, conf, topic):
        self.last, self.topic = -1, topic
        self.consumer = Consumer({**conf, "group.id": self.GROUP, "enable.auto.commit": False})
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopping.wait(0.01):
            try:
                # It may wait for as long as the broker lets nobody in.
                offset = TopicPartition(self.topic, 0, self.last + 1)
                self.consumer.commit(offsets=[offset], asynchronous=False)
                self.last += 1
            except KafkaException:
                pass

    def await_more(self, count):
        wanted, end = self.last + count, time.monotonic() + SECONDS
        while self.last < wanted:
            assert time.monotonic() < end, f"{self.last} of {wanted} offsets are committed"
            time.sleep(0.02)

    def await_silence(self, seconds=1):
        last, since, end = self.last, time.monotonic(), time.monotonic() + SECONDS
        while time.monotonic() < since + seconds:
            assert time.monotonic() < end, "commits are taken on and on"
            time.sleep(0.05)
            if self.last > last:
                last, since = self.last, time.monotonic()

    def stop(self):
        self._stopping.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "a commit gets no answer"
        self.consumer.close()


def await_success(broker, *arguments):
    """Runs a command until it succeeds; what it needs may come a moment later."""
    end = time.monotonic() + SECONDS
    while True:
        result = broker.run(*arguments, check=False)
        if result.returncode == 0:
            return
        assert time.monotonic() < end, result.stderr
        time.sleep(0.2)


def is_storage_error(error):
    return error.code() == KafkaError.KAFKA_STORAGE_ERROR


def check_everything_after_a_restart(broker, load, conf):
    load.stop()
    assert load.failed == []
    assert_nothing_lost_or_repeated(load, conf)
    assert broker.stop() == 0, "".join(broker.output)
    broker.start()
    conf = broker.conf("admin")
    assert_nothing_lost_or_repeated(load, conf)
    return conf


def test_records_leave_room_for_all_else_and_go_on_when_a_topic_is_deleted(broker):
    conf = broker.conf("admin")
    for topic in ("kept", "in-the-way"):
        broker.run("topic", "create", topic)
    load = Load(conf, "kept", 1)
    load.await_more(200)
    taken, error = fill(conf, "in-the-way")
    assert taken > SIZE_MIB * 4 and is_storage_error(error), (taken, error)
    # A small record finds no room either.
    count = load.await_silence()
    seen = read_all(conf, "kept", 1)
    assert load.acknowledged <= set(seen) and len(seen) >= count
    assert len(read_all(conf, "in-the-way", 1)[VALUE.decode()]) == taken
    # What is no record has its reserve: offsets, accounts, ACLs, records of the audit log.
    assert committed(conf, "kept", 7) == 7
    broker.run("user", "add", "late", "--password-stdin", stdin="quite a long password 7\n")
    broker.run("acl", "add", "--allow-principal", "User:late", "--operation", "read", "--topic", "kept")
    assert is_storage_error(error_of(conf, "kept")), "it is full still"
    broker.run("topic", "delete", "in-the-way", "--yes")
    load.await_more(200)
    conf = check_everything_after_a_restart(broker, load, conf)
    assert committed(conf, "kept") == 7
    listed = broker.run("topic", "list").stdout
    assert "kept" in listed and "in-the-way" not in listed
    text = "".join(str(record) for record in broker.audit())
    assert "DeleteTopics" in text and "User:late" in text


def test_retention_makes_room_by_itself(broker):
    conf = broker.conf("admin")
    broker.run("topic", "create", "kept")
    broker.run("topic", "create", "short", "--config", "segment.bytes=1048576")
    load = Load(conf, "kept", 1)
    load.await_more(200)
    _, error = fill(conf, "short")
    assert is_storage_error(error)
    load.await_silence()
    set_configs(AdminClient(conf), "short", retention_bytes="1048576")
    load.await_more(200)
    check_everything_after_a_restart(broker, load, conf)


def test_a_disk_that_others_have_filled_to_the_last_byte_is_survived(broker, small_disk):
    conf = broker.conf("admin")
    broker.run("topic", "create", "kept")
    load = Load(conf, "kept", 1)
    load.await_more(200)
    commits = Commits(conf, "kept")
    commits.await_more(3)
    logged_in = Consumer({**conf, "group.id": "was-here-before", "enable.auto.commit": False})
    logged_in.assign([TopicPartition("kept", 0, 0)])
    assert logged_in.poll(SECONDS).error() is None
    in_the_way = small_disk / "in-the-way"
    with open(in_the_way, "wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    load.await_silence()
    # The last block of the journal has room for a few.
    commits.await_silence()
    # Who is logged in reads on. Nothing is changed that can't be written down, and nobody logs in.
    logged_in.seek(TopicPartition("kept", 0, 0))
    assert logged_in.poll(SECONDS).error() is None
    refused = broker.run("topic", "create", "more", check=False)
    assert refused.returncode != 0
    in_the_way.unlink()
    load.await_more(200)
    await_success(broker, "topic", "create", "more")
    commits.await_more(3)
    commits.stop()
    logged_in.close()
    conf = check_everything_after_a_restart(broker, load, conf)
    assert committed(conf, "kept", group=Commits.GROUP) == commits.last
    listed = broker.run("topic", "list").stdout
    assert "kept" in listed and "more" in listed
