"""kcat with the files that quickstart wrote."""

import pytest


def test_produce_and_consume_with_the_quickstart_files(schloss, kcat):
    made = kcat(schloss.client("orders-producer", "conf"), "-P", "-t", "orders", stdin="from kcat\n")
    assert made.returncode == 0, made.stderr
    read = kcat(schloss.client("orders-consumer", "conf"), "-C", "-t", "orders", "-o", "beginning", "-e", "-q")
    assert read.returncode == 0, read.stderr
    assert "from kcat" in read.stdout.splitlines()


def test_nothing_is_complained_about_at_the_first_try(schloss, kcat):
    made = kcat(schloss.client("orders-producer", "conf"), "-P", "-t", "orders", stdin="quiet\n")
    complaints = [line for line in made.stderr.splitlines() if "Reading configuration" not in line]
    assert complaints == []


@pytest.mark.serve_only("one broker; what clients see of three is in test_gateway_addresses.py")
def test_the_metadata_listing_names_the_broker_and_the_topic(schloss, kcat):
    listed = kcat(schloss.client("orders-producer", "conf"), "-L")
    assert f"broker 1 at {schloss.bootstrap}" in listed.stdout, listed.stdout + listed.stderr
    assert 'topic "orders" with 3 partitions' in listed.stdout, listed.stdout


def test_denied_reading_says_so(schloss, kcat):
    read = kcat(schloss.client("orders-producer", "conf"), "-C", "-t", "orders", "-o", "beginning", "-e")
    assert read.returncode != 0
    assert "Topic authorization failed" in read.stderr, read.stderr
