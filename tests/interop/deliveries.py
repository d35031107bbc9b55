"""Producing through trouble, and what has arrived."""

import collections
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

SECONDS = 60


class Load:
    """An idempotent producer with acks=all that goes on until it is told to stop, and knows what was acknowledged."""

    def __init__(self, conf, topic, partitions):
        self.topic, self.partitions = topic, partitions
        self.acknowledged, self.failed = set(), []
        self.producer = Producer(
            {**conf, "enable.idempotence": "true", "acks": "all", "message.timeout.ms": 1000 * SECONDS, "linger.ms": 2}
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stopping.is_set():
            value = str(number)
            self.producer.produce(
                self.topic, value, partition=number % self.partitions,
                on_delivery=lambda error, _, value=value: self._delivered(error, value),
            )
            number += 1
            self.producer.poll(0.001)

    def _delivered(self, error, value):
        if error:
            self.failed.append((value, error))
        else:
            self.acknowledged.add(value)

    def await_more(self, count, seconds=SECONDS):
        """Until `count` more records than now are acknowledged."""
        wanted, end = len(self.acknowledged) + count, time.monotonic() + seconds
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end, f"{len(self.acknowledged)} of {wanted} acknowledged; failed: {self.failed[:3]}"
            time.sleep(0.02)

    def await_silence(self, seconds=1):
        """Until nothing was acknowledged for so long; how many records are."""
        count, since, end = len(self.acknowledged), time.monotonic(), time.monotonic() + SECONDS
        while time.monotonic() < since + seconds:
            assert time.monotonic() < end, "records are acknowledged on and on"
            time.sleep(0.05)
            if len(self.acknowledged) > count:
                count, since = len(self.acknowledged), time.monotonic()
        return count

    def stop(self):
        """Stops and waits for the last answers."""
        self._stopping.set()
        self._thread.join()
        assert self.producer.flush(SECONDS) == 0, "records without an answer"


def read_all(conf, topic, partitions):
    """Where each value is in the topic, a place for each time; with `isolation.level` in `conf`, of those that it shows."""
    settings = {"group.id": "reads-all", "enable.auto.commit": "false", "enable.partition.eof": "true"}
    consumer = Consumer({**conf, **settings})
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        seen, end = collections.defaultdict(list), time.monotonic() + SECONDS
        left = set(range(partitions))
        while left:
            assert time.monotonic() < end, f"partitions {left} were not read to their ends"
            for message in consumer.consume(500, 0.2):
                if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                    continue
                assert not message.error(), message.error()
                place = f"partition {message.partition()} offset {message.offset()}"
                seen[message.value().decode()].append(place)
        return seen
    finally:
        consumer.close()


def assert_nothing_lost_or_repeated(load, conf):
    seen = read_all(conf, load.topic, load.partitions)
    lost = load.acknowledged - set(seen)
    assert not lost, f"{len(lost)} acknowledged records are not there, such as {sorted(lost)[:5]}"
    repeated = {value: places for value, places in seen.items() if len(places) > 1}
    assert not repeated, f"{len(repeated)} records came more than once, such as {sorted(repeated.items())[:5]}"
