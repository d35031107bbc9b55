"""Tests in Rust that need a real Apache Kafka: hermetic runs leave them out, and here is one."""

import os
import subprocess

import pytest

pytestmark = pytest.mark.gateway_only("the cluster itself is asked, which runs there")


def ignored(cluster, target, variable, *arguments):
    """The tests of a target that are ignored elsewhere; returns what they print."""
    # With the whole workspace, so that what `cargo test` has built is what runs.
    command = ["cargo", "test", "--quiet", "--workspace", "--features", "schloss/kerberos", "--test", target, "--", "--ignored", "--nocapture", *arguments]
    environment = {**os.environ, variable: cluster.client("gateway", "properties"), "RUST_BACKTRACE": "0"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-2000:]
    return result.stdout


def test_the_gateway_answers_as_apache_kafka_does(cluster):
    told = ignored(cluster, "differential", "SCHLOSS_TEST_UPSTREAM")
    assert "answers of" in told, told


def test_the_gateway_before_a_cluster(cluster):
    ignored(cluster, "before_a_cluster", "SCHLOSS_TEST_UPSTREAM")


def test_the_state_of_gateways_in_a_topic(cluster):
    ignored(cluster, "real_kafka", "SCHLOSS_TEST_CLIENT", "--test-threads=1")


def test_decisions_are_those_of_apache_kafkas_authorizer(cluster):
    told = ignored(cluster, "standard_authorizer", "SCHLOSS_TEST_CLIENT")
    assert "decisions as Apache Kafka's" in told, told
