"""`kill -9` under load, again and again: what was acknowledged is there, once, and what was aborted is never seen.

`SCHLOSS_CRASH_ROUNDS` sets how often.
"""

import os
import random
import threading
import time

import pytest
from confluent_kafka import KafkaException, Producer
from deliveries import SECONDS, Load, assert_nothing_lost_or_repeated, read_all

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
