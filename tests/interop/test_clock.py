"""A broker whose clock is set, an hour forward and an hour back, while everybody else goes by the right time."""

import threading
import time

import pytest
from clock import Clock, library
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from deliveries import SECONDS, Load, assert_nothing_lost_or_repeated, read_all
from engines import Schloss
from topics import set_configs

pytestmark = pytest.mark.serve_only("its own clock is set")
HOUR = 3600
HALF_AN_HOUR_MS = str(HOUR * 500)


class Member:
    """A member of a consumer group that has to keep what it got."""

    def __init__(self, conf, topic):
        self.seen, self.assigned, self.lost = set(), threading.Event(), []
        self.consumer = Consumer(
            {**conf, "group.id": "steady", "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
        )
        self.consumer.subscribe(
            [topic],
            on_assign=lambda *_: self.assigned.set(),
            on_revoke=lambda *_: self.lost.append("revoked"),
            on_lost=lambda *_: self.lost.append("lost"),
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self.assigned.wait(SECONDS)

    def _run(self):
        while not self._stopping.is_set():
            message = self.consumer.poll(0.1)
            if message and not message.error():
                self.seen.add(message.value().decode())

    def await_all(self, values):
        end = time.monotonic() + SECONDS
        while not values <= self.seen:
            assert time.monotonic() < end, f"{len(values - self.seen)} records were not consumed"
            time.sleep(0.05)

    def stop(self):
        self._stopping.set()
        self._thread.join()
        lost = list(self.lost)
        self.consumer.close()
        assert lost == []


@pytest.fixture
def clock(tmp_path):
    if not library():
        pytest.skip("no libfaketime on this machine (Debian package faketime)")
    return Clock(tmp_path / "clock", library())


@pytest.fixture
def broker(clock, tmp_path):
    server = Schloss(tmp_path / "data", environment=clock.environment)
    yield server
    server.end_well()


def broker_clock(broker, conf):
    """How far the broker's clock is from the right time, by what it stamps records with."""
    topic = "stamped"
    producer = Producer(conf)
    told = []
    producer.produce(topic, "x", on_delivery=lambda error, message: told.append((error, message)))
    assert producer.flush(SECONDS) == 0
    [(error, message)] = told
    assert error is None, error
    return message.timestamp()[1] / 1000 - time.time()


def begun_transaction(conf, topic, identity):
    producer = Producer({**conf, "transactional.id": identity, "transaction.timeout.ms": 60_000})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(topic, identity, partition=0)
    assert producer.flush(SECONDS) == 0
    return producer


def first_offset(conf, topic):
    consumer = Consumer({**conf, "group.id": "looks"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS)[0]
    finally:
        consumer.close()


def await_first_offset(conf, topic, offset):
    end = time.monotonic() + SECONDS
    while first_offset(conf, topic) < offset:
        assert time.monotonic() < end, "nothing is deleted any more"
        time.sleep(0.1)


def test_a_clock_that_is_set_deletes_nothing_young_and_disturbs_nobody(broker, clock):
    conf = broker.conf("admin")
    admin = AdminClient(conf)
    for topic in ("kept", "transactions", "goes"):
        broker.run("topic", "create", topic, "--partitions", "1")
    broker.run("topic", "create", "stamped", "--config", "message.timestamp.type=LogAppendTime")
    broker.run("topic", "create", "ages", "--partitions", "1", "--config", f"retention.ms={HALF_AN_HOUR_MS}")
    producer = Producer(conf)
    for topic in ("ages", "goes"):
        for number in range(10):
            producer.produce(topic, str(number), partition=0)
    assert producer.flush(SECONDS) == 0
    load, member = Load(conf, "kept", 1), Member(conf, "kept")
    for number, shift in enumerate((HOUR, 0, HOUR, -HOUR, 0)):
        load.await_more(100)
        open_one = begun_transaction(conf, "transactions", f"at {number}")
        clock.set(shift)
        assert abs(broker_clock(broker, conf) - shift) < 60, "the clock was not set"
        # Each change has the broker look at once for what is too old.
        for retention in (HALF_AN_HOUR_MS, str(int(HALF_AN_HOUR_MS) + 1)):
            set_configs(admin, "ages", retention_ms=retention)
            load.await_more(50)
        open_one.commit_transaction(SECONDS)
        # Log-ins, changes and their records go on.
        broker.run("user", "add", f"user{number}", "--password-stdin", stdin="quite a long password 7\n")
        assert first_offset(conf, "ages") == 0
        if shift == HOUR:
            # What is old enough goes all the same.
            set_configs(admin, "goes", retention_ms="1")
            await_first_offset(conf, "goes", 10)
    load.stop()
    assert load.failed == []
    member.await_all(load.acknowledged)
    member.stop()
    committed = read_all({**conf, "isolation.level": "read_committed"}, "transactions", 1)
    assert set(committed) == {f"at {number}" for number in range(5)}
    assert_nothing_lost_or_repeated(load, conf)
    assert len([record for record in broker.audit() if "AlterUserScramCredentials" in str(record)]) >= 5


@pytest.mark.parametrize("shift", [HOUR, -HOUR])
def test_a_clock_that_was_set_while_the_broker_was_down_does_not_keep_it_from_serving(broker, clock, shift):
    conf = broker.conf("admin")
    broker.run("topic", "create", "kept", "--partitions", "1")
    load = Load(conf, "kept", 1)
    load.await_more(100)
    open_one = begun_transaction(conf, "kept", "open")
    broker.kill()
    clock.set(shift)
    broker.start()
    load.await_more(100)
    load.stop()
    assert load.failed == []
    assert_nothing_lost_or_repeated(load, {**conf, "isolation.level": "read_uncommitted"})
    try:
        open_one.abort_transaction(SECONDS)
    except KafkaException as error:
        # It is too old by the clock of an hour later, and was aborted for its producer.
        assert shift > 0, error
    end = time.monotonic() + SECONDS
    while not load.acknowledged <= set(read_all({**conf, "isolation.level": "read_committed"}, "kept", 1)):
        assert time.monotonic() < end, "an open transaction holds up readers of committed records"
        time.sleep(0.2)
