"""Our command line speaks plain Kafka protocol: the same words on an Apache Kafka cluster."""

import json
import os
import pathlib
import subprocess

import pytest
from apache_kafka import ApacheKafka
from conftest import BINARY, KAFKA_LIBS


@pytest.fixture(scope="module")
def kafka_cluster(schloss, tmp_path_factory):
    if not KAFKA_LIBS:
        pytest.skip("KAFKA_LIBS is not set: run by 'cargo xtask test'")
    cluster = ApacheKafka(tmp_path_factory.mktemp("apache") / "kafka", pathlib.Path(schloss.data_dir) / "pki")
    yield cluster
    cluster.stop()


def client_crate(file):
    """The tests of the client crate that need a cluster; hermetic runs count them as skipped."""
    command = ["cargo", "test", "--quiet", "-p", "schloss-client", "--test", "real_cluster", "--", "--ignored"]
    result = subprocess.run(
        command, env={**os.environ, "SCHLOSS_TEST_CLIENT": file}, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    assert "3 passed" in result.stdout, result.stdout


def test_our_client_on_apache_kafka(kafka_cluster):
    client_crate(kafka_cluster.client_file())


def test_our_client_on_schloss(schloss):
    client_crate(schloss.client("admin", "properties"))


@pytest.fixture
def run(kafka_cluster):
    def run(*arguments, stdin=None, file=None, check=True):
        command = [BINARY, *arguments, "--client", file or kafka_cluster.client_file()]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90)
        if check:
            assert result.returncode == 0, result.stderr
        return result

    return run


def test_topics_users_acls_and_records(kafka_cluster, run):
    run("topic", "create", "ours", "--partitions", "3")
    assert "ours" in run("topic", "list").stdout
    assert len(json.loads(run("topic", "describe", "ours", "--output", "json").stdout)["partitions"]) == 3
    run("user", "add", "alice", "--password-stdin", stdin="alice-password-1234")
    assert "alice" in run("user", "list").stdout
    alice = kafka_cluster.client_file("alice", "alice-password-1234")
    denied = run("produce", "ours", file=alice, stdin="x\n", check=False)
    assert denied.returncode == 5, denied.stderr
    run("acl", "add", "--allow-principal", "User:alice", "--operation", "read", "--operation", "write", "--topic", "ours")
    run("acl", "add", "--allow-principal", "User:alice", "--operation", "read", "--group", "alice-", "--pattern", "prefixed")
    assert "User:alice" in run("acl", "list", "--topic", "ours").stdout
    lines = [f"{number}:{number}" for number in range(100)]
    run("produce", "ours", "--key-separator", ":", file=alice, stdin="\n".join(lines) + "\n")
    read = run(
        "consume", "ours", "--group", "alice-1", "--from-beginning", "--max-messages", "100", "--output", "json", file=alice
    )
    assert sorted(int(json.loads(line)["value"]) for line in read.stdout.splitlines()) == list(range(100))
    run("acl", "remove", "--principal", "User:alice", "--yes")
    run("user", "remove", "alice", "--yes")
    refused = run("topic", "list", file=alice, check=False)
    assert refused.returncode == 4, refused.stderr
    run("topic", "delete", "ours", "--yes")
    assert "ours" not in run("topic", "list").stdout
