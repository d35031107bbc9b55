"""What many connections, many partitions and many bytes cost one broker.

Small by default, as a guard for each unit. `cargo xtask scale` runs the same with 10,000 of each and 10 GiB; it sets
`SCHLOSS_SCALE_UNITS` and `SCHLOSS_SCALE_MIB`.
"""

import os
import re
import resource
import shutil
import subprocess
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from deliveries import SECONDS
from engines import Server
from environment import BINARY
from raw_client import RawClient

pytestmark = pytest.mark.serve_only("of its own log")
UNITS = int(os.environ.get("SCHLOSS_SCALE_UNITS", "500"))
MIB = int(os.environ.get("SCHLOSS_SCALE_MIB", "128"))
# A broker that serves nobody and holds nothing, in KiB.
MAX_BASE = 64 * 1024
# What one more may take, in KiB. Both together are less than 1.5 GiB for 10,000 of each.
MAX_PER_CONNECTION, MAX_PER_PARTITION = 48, 24
# After it an idle connection has given its buffer back.
IDLE_SECONDS = 11
# One address may not have all connections; and each end of a connection has an address.
ADDRESSES = [f"127.0.0.{number}" for number in range(1, 11)]


class Serving(Server):
    """`schloss serve` on the data directory of a quickstart that has ended."""

    def __init__(self, first):
        self.host, self.port, self.config_name = first.host, first.port, first.config_name
        super().__init__(first.data_dir)

    def command(self):
        return [BINARY, "serve", "--config", str(self.config)]

    def is_last_line_of_start(self, line):
        return "serving" in line

    def find_address(self, output):
        assert "serving" in output, output

    def start(self):
        begun = time.monotonic()
        super().start()
        self.start_seconds = time.monotonic() - begun

    def memory(self):
        """Resident memory that is no file's, in KiB."""
        return self._number("status", r"RssAnon:\s+(\d+) kB")

    def bytes_read(self):
        """What it has read from files and sockets, from the disk or not."""
        return self._number("io", r"rchar: (\d+)")

    def _number(self, file, pattern):
        with open(f"/proc/{self.process.pid}/{file}") as facts:
            return int(re.search(pattern, facts.read()).group(1))

    def resident(self):
        """All resident memory, the program itself included, in MiB."""
        return self._number("status", r"VmRSS:\s+(\d+) kB") // 1024


@pytest.fixture
def serving(fresh):
    """Makes a broker with these settings in its configuration."""
    servers = []

    def make(**settings):
        first = fresh()
        assert first.stop() == 0
        text = first.config.read_text()
        for name, value in settings.items():
            text, count = re.subn(f"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
            assert count == 1, f"{count} settings {name}"
        first.config.write_text(text)
        servers.append(Serving(first))
        return servers[-1]

    yield make
    for server in servers:
        server.end_well()
        # pytest keeps what tests leave, and this may be 10 GiB.
        shutil.rmtree(server.data_dir)


@pytest.fixture
def many_files():
    """Descriptors for connections and partitions, which the broker takes over from here."""
    needed = 2 * UNITS + 300
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(needed, hard)))
    except (ValueError, PermissionError):
        pytest.skip(f"{needed} open files are needed, and {hard} is the limit here")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def report(record_property, name, value):
    record_property(name, value)
    print(f"{name}: {value}")


def write_to_all(conf):
    """A record in each partition."""
    failed = []
    producer = Producer({**conf, "acks": "all", "linger.ms": 50})
    for number in range(0, UNITS, 1000):
        for partition in range(min(1000, UNITS - number)):
            producer.produce(
                f"many-{number}", b"x" * 100, partition=partition,
                on_delivery=lambda error, _: error and failed.append(error),
            )
    assert producer.flush(10 * SECONDS) == 0 and failed == []


def test_idle_connections_and_partitions_take_little_memory(serving, many_files, record_property):
    broker = serving(max_connections=UNITS + 100)
    address = (broker.host, broker.port)
    base = broker.memory()
    begun = time.monotonic()
    for number in range(0, UNITS, 1000):
        count = min(1000, UNITS - number)
        broker.run("topic", "create", f"many-{number}", "--partitions", str(count))
    report(record_property, "seconds to make the partitions", round(time.monotonic() - begun, 1))
    write_to_all(broker.conf("admin"))
    with_partitions = broker.memory()
    begun = time.monotonic()
    clients = []
    for number in range(UNITS):
        source = ADDRESSES[number % len(ADDRESSES)]
        clients.append(RawClient(broker.client("admin", "conf"), address, source=source))
    report(record_property, "seconds to log in", round(time.monotonic() - begun, 1))
    peak = broker.resident()
    # An idle connection gives its buffer back after a while.
    time.sleep(IDLE_SECONDS)
    with_clients = broker.memory()
    # Every one of them is served.
    for client in clients:
        client.api_versions()
    per_partition = (with_partitions - base) / UNITS
    per_connection = (with_clients - with_partitions) / UNITS
    report(record_property, "KiB at first", base)
    report(record_property, "KiB a partition", round(per_partition, 2))
    report(record_property, "KiB an idle connection", round(per_connection, 2))
    report(record_property, "MiB with all, just logged in", peak)
    report(record_property, "MiB with all, idle", broker.resident())
    for client in clients:
        client.close()
    assert base < MAX_BASE and per_partition < MAX_PER_PARTITION and per_connection < MAX_PER_CONNECTION


def test_a_start_after_a_stop_in_good_order_reads_no_records(serving, record_property):
    broker = serving(durability='"os"')
    topics = [f"large-{number}" for number in range(8)]
    for topic in topics:
        broker.run("topic", "create", topic, "--partitions", "4", "--config", "segment.bytes=67108864")
    conf = broker.conf("admin")
    value = os.urandom(64 * 1024)
    records = MIB * 1024 // 64
    producer = Producer(
        {**conf, "acks": "all", "linger.ms": 5, "batch.size": 1_000_000, "queue.buffering.max.kbytes": 64 * 1024}
    )
    failed = []
    for number in range(records):
        while True:
            try:
                producer.produce(
                    topics[number % 8], value, partition=number // 8 % 4,
                    on_delivery=lambda error, _: error and failed.append(error),
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(10 * SECONDS) == 0 and failed == []
    assert broker.stop() == 0
    size = int(subprocess.run(["du", "-sm", broker.data_dir], capture_output=True, text=True).stdout.split()[0])
    assert size >= MIB
    broker.start()
    read = broker.bytes_read()
    report(record_property, "MiB on disk", size)
    report(record_property, "seconds to start", round(broker.start_seconds, 3))
    report(record_property, "MiB read at the start", round(read / 1024 / 1024, 2))
    report(record_property, "MiB of memory after it", broker.resident())
    # All of it is there.
    consumer = Consumer({**conf, "group.id": "looks"})
    places = [TopicPartition(topic, partition) for topic in topics for partition in range(4)]
    assert sum(consumer.get_watermark_offsets(place, timeout=SECONDS)[1] for place in places) == records
    consumer.close()
    assert broker.start_seconds < 2
    assert read < 4 * 1024 * 1024 + size * 1024 * 1024 / 100, "records were read"
