"""Clients that ask for much and read nothing: what waits for them in the gateway has a bound."""

import collections
import pathlib
import time

import pytest
from accounts import make_account
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from raw_client import FETCH, RawClient, fetch_from_the_beginning

pytestmark = pytest.mark.gateway_only("the memory of a gateway")
MIB = 1 << 20
CONNECTIONS = 50
RECORDS = 48
RECORD_BYTES = 900_000
ASKED_BYTES = 64 * MIB
# The bounds that docs/gateway.md names: of an answer that passes, and of one that is read first (1 MiB and a batch of
# records, twice while it is put together again).
PASSED_BYTES = MIB
READ_BYTES = 4 * MIB
# Requests that are sent one after the other without an answer having been read.
PIPELINED = 2000


Much = collections.namedtuple("Much", "topic leader")


@pytest.fixture(scope="module")
def much(schloss):
    """A topic of 43 MB in one partition, which nothing compresses, and the address of its leader."""
    topic = "much"
    schloss.run("topic", "create", topic, "--partitions", "1")
    producer = Producer({**schloss.conf("admin"), "linger.ms": 0, "compression.type": "none"})
    for _ in range(RECORDS):
        producer.produce(topic, bytes(RECORD_BYTES), partition=0)
        producer.poll(0)
    assert producer.flush(60) == 0
    seen = AdminClient(schloss.conf("admin")).list_topics(topic, timeout=30)
    leader = seen.brokers[seen.topics[topic].partitions[0].leader]
    return Much(topic, (leader.host, leader.port))


@pytest.fixture
def reader(schloss, much, unique):
    return make_account(schloss, unique("slow-reader"), ("--operation", "read", "--topic", much.topic))


@pytest.fixture
def connect(schloss, much, reader):
    """Opens connections that take next to nothing from the kernel."""
    open_now = []

    def connect():
        open_now.append(RawClient(schloss.client(reader.name, "conf"), much.leader, receive_buffer=4096))
        return open_now[-1]

    yield connect
    for client in open_now:
        client.close()


def resident_bytes(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024


def settled(server, seconds=20):
    """The most that it holds, once it has not grown for three seconds."""
    most, grown, end = 0, time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < min(grown + 3, end):
        now = resident_bytes(server)
        if now > most:
            most, grown = now, time.monotonic()
        time.sleep(0.05)
    return most


def await_first_bytes(clients):
    """Until every answer has begun to come."""
    for client in clients:
        client.wire.settimeout(60)
        assert client.wire.recv(1)


def assert_is_alive(server, much, reader):
    """Somebody who reads gets all of the answer meanwhile."""
    client = RawClient(server.client(reader.name, "conf"), much.leader)
    client.send(FETCH, 4, fetch_from_the_beginning([much.topic], ASKED_BYTES))
    assert len(client.answer()) > RECORDS * RECORD_BYTES
    client.close()


@pytest.mark.parametrize(
    "topics, bytes_each",
    [
        pytest.param(["much"], PASSED_BYTES, id="passed"),
        # The denial is put into the answer, so it can't pass as bytes.
        pytest.param(["much", "of-others"], READ_BYTES, id="read"),
    ],
)
def test_clients_that_do_not_read_an_answer_hold_little(schloss, much, reader, connect, topics, bytes_each):
    assert_is_alive(schloss, much, reader)
    clients = [connect() for _ in range(CONNECTIONS)]
    before = settled(schloss)
    for client in clients:
        client.send(FETCH, 4, fetch_from_the_beginning(topics, ASKED_BYTES))
    await_first_bytes(clients)
    grown = settled(schloss) - before
    print(f"{grown / MIB:.1f} MiB more for {CONNECTIONS} connections")
    assert grown < CONNECTIONS * bytes_each
    assert_is_alive(schloss, much, reader)


def test_clients_that_send_on_and_do_not_read_hold_little(schloss, much, reader, connect):
    clients = [connect() for _ in range(CONNECTIONS)]
    before = settled(schloss)
    request = fetch_from_the_beginning([much.topic], ASKED_BYTES)
    for client in clients:
        client.wire.settimeout(0.2)
        try:
            client.send(FETCH, 4, request, times=PIPELINED)
        except TimeoutError:
            pass  # The gateway takes no more from it, as it should.
    await_first_bytes(clients)
    grown = settled(schloss) - before
    print(f"{grown / MIB:.1f} MiB more for {CONNECTIONS} connections")
    assert grown < CONNECTIONS * PASSED_BYTES
    assert_is_alive(schloss, much, reader)
