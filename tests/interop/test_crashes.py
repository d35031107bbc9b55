"""`kill -9` under load, again and again: what was acknowledged is there, once, and what was aborted is never seen; and
while logs are compacted the newest value of each key stays, and what was deleted does not come back.

`SCHLOSS_CRASH_ROUNDS` sets how often.
"""

import os
import random
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from deliveries import SECONDS, Load, assert_nothing_lost_or_repeated, read_all
from topics import set_configs

pytestmark = pytest.mark.serve_only("kills the broker itself")
ROUNDS = int(os.environ.get("SCHLOSS_CRASH_ROUNDS", "6"))
PARTITIONS = 3


class Transactions:
    """A producer whose every transaction writes one value to each partition; each third one is aborted."""

    def __init__(self, conf, topic, identity):
        self.conf = {**conf, "transactional.id": identity, "transaction.timeout.ms": 1000 * SECONDS}
        self.topic = topic
        self.committed, self.aborted, self.unknown = set(), set(), set()
        self.error = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            producer, number = None, 0
            while not self._stopping.is_set():
                # A new one finds the last transaction of its id decided, or aborts it.
                producer = producer or self._new_producer()
                number += 1
                if not self._attempt(producer, str(number)):
                    producer = None
        except Exception as error:
            self.error = error

    def _new_producer(self):
        producer = Producer(self.conf)
        again(lambda: producer.init_transactions(SECONDS))
        return producer

    def _attempt(self, producer, value):
        """Whether the producer can go on."""
        self.unknown.add(value)
        try:
            producer.begin_transaction()
            for partition in range(PARTITIONS):
                producer.produce(self.topic, value, partition=partition)
            if int(value) % 3 == 0:
                self._abort(producer, value)
            else:
                again(lambda: producer.commit_transaction(SECONDS))
                self._settle(value, self.committed)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                return False
            try:
                self._abort(producer, value)
            except KafkaException:
                return False
        return True

    def _abort(self, producer, value):
        again(lambda: producer.abort_transaction(SECONDS))
        self._settle(value, self.aborted)

    def _settle(self, value, outcome):
        self.unknown.discard(value)
        outcome.add(value)

    def stop(self):
        self._stopping.set()
        self._thread.join(3 * SECONDS)
        assert not self._thread.is_alive() and self.error is None, self.error

    def check(self, conf):
        seen = read_all({**conf, "isolation.level": "read_committed"}, self.topic, PARTITIONS)
        wrong = {value: seen[value] for value in self.committed if len(seen[value]) != PARTITIONS}
        assert not wrong, f"of {len(self.committed)} committed transactions these are not there whole and once: {wrong}"
        shown = self.aborted & set(seen)
        assert not shown, f"of {len(self.aborted)} aborted transactions these can be read: {shown}"
        torn = {value: seen[value] for value in self.unknown if len(seen[value]) not in (0, PARTITIONS)}
        assert not torn, f"transactions whose end nobody was told are there in part: {torn}"


def again(attempt):
    """Until it succeeds or fails for good: what can be tried again is."""
    end = time.monotonic() + 2 * SECONDS
    while True:
        try:
            return attempt()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > end:
                raise


def test_nothing_acknowledged_is_lost_and_nothing_aborted_is_seen(fresh, unique):
    broker = fresh()
    plain, transactional = unique("crash"), unique("crash-tx")
    for topic in (plain, transactional):
        broker.run("topic", "create", topic, "--partitions", str(PARTITIONS))
    conf = broker.conf("admin")
    load = Load(conf, plain, PARTITIONS)
    transactions = Transactions(conf, transactional, unique("crash-id"))
    for _ in range(ROUNDS):
        ended = len(transactions.committed)
        load.await_more(200)
        end = time.monotonic() + 2 * SECONDS
        while len(transactions.committed) < ended + 3:
            assert time.monotonic() < end and transactions.error is None, transactions.error or "no transaction ends"
            time.sleep(0.01)
        # Anywhere in what a batch, a marker or a group commit is made of.
        time.sleep(random.uniform(0, 0.2))
        broker.kill()
        broker.start()
    load.stop()
    transactions.stop()
    assert load.failed == []
    assert_nothing_lost_or_repeated(load, conf)
    transactions.check(conf)
    assert len(transactions.aborted) >= ROUNDS


class Changes:
    """An idempotent producer that changes keys over and over; each third change of a key deletes it."""

    KEYS = 40
    # Written and deleted once, in the beginning.
    GONE = 10

    def __init__(self, conf, topic):
        self.topic = topic
        # By key: of its changes, counted from 0, the last that was begun and the last that was acknowledged.
        self.begun, self.acknowledged, self.failed = {}, {}, []
        self.written = 0
        self.producer = Producer(
            {**conf, "enable.idempotence": "true", "acks": "all", "message.timeout.ms": 1000 * SECONDS, "linger.ms": 2}
        )
        for _ in range(3):
            for number in range(self.GONE):
                self._change(f"gone-{number}")
        assert self.producer.flush(SECONDS) == 0 and self.failed == []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def deletes(change):
        return change % 3 == 2

    def _run(self):
        while not self._stopping.is_set():
            for number in range(self.KEYS):
                self._change(f"key-{number}")
            self.producer.poll(0.005)

    def _change(self, key):
        change = self.begun.get(key, -1) + 1
        self.begun[key] = change
        self.producer.produce(
            self.topic, None if self.deletes(change) else str(change), key=key,
            on_delivery=lambda error, _: self._delivered(error, key, change),
        )
        self.producer.poll(0)

    def _delivered(self, error, key, change):
        if error:
            self.failed.append((key, error))
        else:
            self.written += 1
            self.acknowledged[key] = change

    def await_more(self, count):
        wanted, end = self.written + count, time.monotonic() + 2 * SECONDS
        while self.written < wanted:
            assert time.monotonic() < end, f"{self.written} of {wanted} acknowledged; failed: {self.failed[:3]}"
            time.sleep(0.01)

    def stop(self):
        self._stopping.set()
        self._thread.join()
        assert self.producer.flush(SECONDS) == 0 and self.failed == []

    def check(self, conf):
        """Reads the topic from its start; every key has to be what it was when the reading began, or newer. How many
        records there are."""
        at_least = dict(self.acknowledged)
        found, count = newest_by_key(conf, self.topic)
        wrong = []
        for key, change in at_least.items():
            value = found.get(key)
            if value is None:
                # It may be deleted by this change or by one after it.
                right = any(self.deletes(later) for later in range(change, self.begun[key] + 1))
            else:
                right = int(value) >= change and not self.deletes(int(value))
            if not right:
                wrong.append((key, change, value))
        assert not wrong, f"keys, their last acknowledged change and the value that is there: {wrong[:5]}"
        return count


def newest_by_key(conf, topic):
    """The newest value of each key in partition 0, as far as that goes now; None if that is a deletion. And how many
    records there are."""
    consumer = Consumer({**conf, "group.id": "reads-all", "enable.auto.commit": "false", "enable.partition.eof": "true"})
    try:
        # It is written to on and on, and has no end that stays one.
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS)
        consumer.assign([TopicPartition(topic, 0, 0)])
        newest, count, end = {}, 0, time.monotonic() + SECONDS
        while True:
            assert time.monotonic() < end, f"offset {high} was not reached: {count} records"
            for message in consumer.consume(500, 0.2):
                if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                    return newest, count
                assert not message.error(), message.error()
                newest[message.key().decode()] = message.value() and message.value().decode()
                count += 1
                if message.offset() >= high - 1:
                    return newest, count
    finally:
        consumer.close()


class Nagging:
    """Sets a setting again and again: each time the broker looks at once for what is to be compacted."""

    def __init__(self, conf, topic):
        self.admin, self.topic = AdminClient(conf), topic
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stopping.wait(0.05):
            number += 1
            try:
                set_configs(self.admin, self.topic, seconds=5, delete_retention_ms=str(number % 2))
            except KafkaException:
                # The broker is down just now.
                pass

    def stop(self):
        self._stopping.set()
        self._thread.join()


COMPACTED = [
    "cleanup.policy=compact", "segment.ms=1", "segment.bytes=1048576", "min.cleanable.dirty.ratio=0",
    "delete.retention.ms=0",
]


def test_compaction_that_is_killed_loses_no_newest_value_and_brings_back_nothing_deleted(fresh, unique, monkeypatch):
    # It tells of every compaction.
    monkeypatch.setenv("SCHLOSS_LOG", "info")
    broker, topic = fresh(), unique("compacted")
    settings = [part for setting in COMPACTED for part in ("--config", setting)]
    broker.run("topic", "create", topic, "--partitions", "1", *settings)
    conf = broker.conf("admin")
    changes, nagging = Changes(conf, topic), Nagging(conf, topic)
    compacted = 0
    for _ in range(ROUNDS):
        changes.await_more(500)
        end = time.monotonic() + SECONDS
        while (seen := "".join(broker.output).count("compacted a log")) <= compacted:
            assert time.monotonic() < end, "nothing is compacted"
            time.sleep(0.01)
        compacted = seen
        # Anywhere in what a compaction is made of.
        time.sleep(random.uniform(0, 0.1))
        broker.kill()
        broker.start()
        changes.check(conf)
    changes.stop()
    nagging.stop()
    count = changes.check(conf)
    assert count < changes.written / 2, f"{count} of {changes.written} records are there"
    assert changes.acknowledged == changes.begun
