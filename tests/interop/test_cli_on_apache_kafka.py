"""Our command line speaks plain Kafka protocol: the same words on an Apache Kafka cluster."""

import json
import os
import subprocess

import pytest

on_cluster = pytest.mark.gateway_only("the cluster itself is asked, which runs there")


def client_crate(file):
    """The tests of the client crate that need a cluster; hermetic runs count them as skipped."""
    command = ["cargo", "test", "--quiet", "-p", "schloss-client", "--test", "real_cluster", "--", "--ignored"]
    result = subprocess.run(
        command, env={**os.environ, "SCHLOSS_TEST_CLIENT": file}, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    assert "3 passed" in result.stdout, result.stdout


@on_cluster
def test_our_client_on_apache_kafka(cluster):
    client_crate(cluster.client("admin", "properties"))


def test_our_client_on_schloss(schloss):
    client_crate(schloss.client("admin", "properties"))


@on_cluster
def test_topics_users_acls_and_records(cluster):
    run = cluster.run
    run("topic", "create", "ours", "--partitions", "3")
    assert "ours" in run("topic", "list").stdout
    assert len(json.loads(run("topic", "describe", "ours", "--output", "json").stdout)["partitions"]) == 3
    run("user", "add", "alice", "--password-stdin", stdin="alice-password-1234")
    cluster.write_client_files("alice", "alice-password-1234", cluster.ca)
    assert "alice" in run("user", "list").stdout
    denied = run("produce", "ours", account="alice", stdin="x\n", check=False)
    assert denied.returncode == 5, denied.stderr
    run("acl", "add", "--allow-principal", "User:alice", "--operation", "read", "--operation", "write", "--topic", "ours")
    run("acl", "add", "--allow-principal", "User:alice", "--operation", "read", "--group", "alice-", "--pattern", "prefixed")
    assert "User:alice" in run("acl", "list", "--topic", "ours").stdout
    lines = [f"{number}:{number}" for number in range(100)]
    run("produce", "ours", "--key-separator", ":", account="alice", stdin="\n".join(lines) + "\n")
    read = run(
        "consume", "ours", "--group", "alice-1", "--from-beginning", "--max-messages", "100", "--output", "json",
        account="alice",
    )
    assert sorted(int(json.loads(line)["value"]) for line in read.stdout.splitlines()) == list(range(100))
    run("acl", "remove", "--principal", "User:alice", "--yes")
    run("user", "remove", "alice", "--yes")
    refused = run("topic", "list", account="alice", check=False)
    assert refused.returncode == 4, refused.stderr
    run("topic", "delete", "ours", "--yes")
    assert "ours" not in run("topic", "list").stdout
