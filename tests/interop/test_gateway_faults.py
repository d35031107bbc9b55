"""Brokers and gateways that die under load: what was acknowledged is there, once."""

import os
import signal
import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from deliveries import Load, assert_nothing_lost_or_repeated
from gateway_config import state_may_be_old_for

pytestmark = pytest.mark.gateway_only("needs a cluster of several brokers")
PARTITIONS = 6


@pytest.fixture
def loaded(unique):
    """Starts a load on a topic of its own as administrator of a place."""
    loads = []

    def start(server, **more):
        topic = unique("faults")
        server.run("topic", "create", topic, "--partitions", str(PARTITIONS))
        loads.append(Load(server.conf("admin", **more), topic, PARTITIONS))
        return loads[-1]

    yield start
    for load in loads:
        load.stop()


def test_brokers_that_are_killed_and_come_back_lose_nothing(schloss, cluster, loaded):
    load = loaded(schloss)
    load.await_more(500)
    # One after the other, each while the load goes on: leaders, the controller and coordinators are among them.
    for node in cluster.nodes:
        cluster.kill(node)
        load.await_more(500)
        cluster.restart(node)
        load.await_more(500)
    load.stop()
    assert load.failed == []
    assert_nothing_lost_or_repeated(load, schloss.conf("admin"))


def test_the_brokers_that_clients_see_are_those_that_run(schloss, cluster):
    admin = AdminClient(schloss.conf("admin"))

    def brokers_or_error():
        try:
            return set(admin.list_topics(timeout=10).brokers)
        except KafkaException as error:
            # The broker that was asked has just gone, which ends the connection as without a gateway.
            assert error.args[0].code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT), error
            return error

    def await_brokers(wanted):
        end = time.monotonic() + 30
        while (seen := brokers_or_error()) != wanted:
            assert time.monotonic() < end, seen
            time.sleep(0.1)

    await_brokers({1, 2, 3})
    cluster.kill(2)
    await_brokers({1, 3})
    cluster.restart(2)
    await_brokers({1, 2, 3})


def test_a_cluster_that_stands_still_for_a_while_loses_nothing(schloss, cluster, loaded):
    load = loaded(schloss)
    load.await_more(500)
    pids = [node.process.pid for node in cluster.nodes.values()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(3)  # Not a wait for something: this is how long nobody answers.
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    load.await_more(500)
    cluster.await_ready()
    load.stop()
    assert load.failed == []
    assert_nothing_lost_or_repeated(load, schloss.conf("admin"))


def test_clients_go_on_through_the_other_gateway(gateway, loaded):
    first = gateway()
    second = gateway(beside=first)
    load = loaded(first, bootstrap_servers=f"{first.bootstrap},{second.bootstrap}")
    load.await_more(500)
    first.kill()
    load.await_more(500)
    load.stop()
    assert load.failed == []
    assert_nothing_lost_or_repeated(load, second.conf("admin"))


def test_a_java_consumer_group_goes_on_through_the_other_gateway(gateway, kafka, unique):
    first = gateway()
    second = gateway(beside=first)
    group, both = unique("group"), f"{first.bootstrap},{second.bootstrap}"
    admin = ["--bootstrap-server", both, "--command-config", first.client("admin", "properties")]
    topic = unique("faults")
    first.run("topic", "create", topic, "--partitions", "1")
    first.run("produce", topic, stdin="one\ntwo\n")
    read = [
        "console-consumer", *admin, "--topic", topic, "--group", group,
        "--from-beginning", "--max-messages", "2", "--timeout-ms", "20000",
    ]
    assert kafka(*read).stdout.split() == ["one", "two"]
    first.kill()
    second.run("produce", topic, stdin="three\nfour\n")
    result = kafka(*read)
    assert result.stdout.split() == ["three", "four"], result.stderr


def test_a_gateway_that_is_killed_starts_again_with_all_of_its_state(gateway, unique):
    server = gateway()
    name = unique("kept")
    server.run("user", "add", name, "--password-stdin", stdin="kept-password-1234")
    server.run("acl", "add", "--allow-principal", f"User:{name}", "--operation", "read", "--topic", name)
    server.kill()
    server.output.clear()
    server.start()
    assert name in server.run("user", "list").stdout
    assert name in server.run("acl", "list").stdout


def await_in_audit(server, method):
    end = time.monotonic() + 40
    while method not in (seen := [record["data"]["methodName"] for record in server.audit("--principal", "System:schloss")]):
        assert time.monotonic() < end, f"no {method} in {seen}"
        time.sleep(0.1)


def test_nobody_is_served_by_a_state_that_has_become_too_old(gateway, cluster, loaded, unique):
    service, state = unique("service"), unique("__schloss_old")
    cluster.add_scram_user(service, "service-password-1234")
    everything = ["--topic", "*", "--group", "*", "--transactional-id", "*", "--cluster"]
    cluster.acls("--add", "--allow-principal", f"User:{service}", "--operation", "All", *everything)
    patient = gateway(account=service, state_topic=state)
    strict = gateway(beside=patient, change=state_may_be_old_for(2000))
    load = loaded(strict)
    load.await_more(200)
    hidden = ["--deny-principal", f"User:{service}", "--operation", "Read", "--topic", state]
    cluster.acls("--add", *hidden)
    await_in_audit(strict, "schloss.StateTooOld")
    refused = strict.run("topic", "list", check=False)
    assert refused.returncode == 3, "no connection, which clients try again: " + refused.stderr
    acknowledged = load.await_silence()
    assert patient.run("topic", "list").returncode == 0, "its bound is minutes"
    assert len(load.acknowledged) == acknowledged, "who was logged in is served no more either"
    cluster.acls("--remove", "--force", *hidden)
    load.await_more(200)
    load.stop()
    assert load.failed == [], "errors were ones that a client tries again"
    assert_nothing_lost_or_repeated(load, patient.conf("admin"))
    await_in_audit(strict, "schloss.StateFollowing")
