"""Java programs: transactions, the newer groups, Streams.

With the gateway each program runs on the cluster itself too, with ACLs of the cluster's own: that tells a fault of the
gateway from one of the program, and what an ACL has to say from what it has to say to us.
"""

import re

import pytest
from accounts import make_account

streams = pytest.mark.parametrize("protocol", ["classic", "streams"])


@pytest.fixture
def make(place, unique):
    """Makes a topic with records of nobody."""

    def make(prefix, partitions=1):
        name = unique(prefix)
        place.run("topic", "create", name, "--partitions", str(partitions))
        return name

    return make


@pytest.fixture
def user(place, unique):
    return lambda *acls: make_account(place, unique("program"), *acls)


def succeeded(result):
    assert result.returncode == 0 and result.stdout.splitlines()[-1] == "ok", result.stdout + result.stderr
    return dict(line.split(" ", 1) for line in result.stdout.splitlines()[:-1])


def failed(result):
    assert result.returncode == 1, result.stdout + result.stderr
    return re.match(r"failed (\w+)", result.stdout.splitlines()[-1]).group(1)


def on_topics(*names):
    return [["--operation", "read", "--operation", "write", "--operation", "describe", "--topic", name] for name in names]


def transactional(identity):
    return ["--operation", "write", "--operation", "describe", "--transactional-id", identity]


def test_only_the_committed_transaction_is_seen(program, make, user, unique):
    source, sink, group, identity = make("tx-in"), make("tx-out"), unique("tx-group"), unique("tx")
    account = user(*on_topics(source, sink), ["--operation", "read", "--group", group], transactional(identity))
    seen = succeeded(program("TransactionalRoundTrip", account.properties, source, sink, group, identity))
    assert seen == {"group_offset": "10", "read_committed": "10", "read_uncommitted": "20"}


def test_a_transactional_id_of_somebody_else_is_refused(program, make, user, unique):
    source, sink, group, identity = make("tx-in"), make("tx-out"), unique("tx-group"), unique("tx")
    account = user(*on_topics(source, sink), ["--operation", "read", "--group", group])
    result = program("TransactionalRoundTrip", account.properties, source, sink, group, identity)
    assert failed(result) == "TransactionalIdAuthorizationException"


def test_a_transaction_may_not_commit_offsets_of_a_group_of_somebody_else(program, make, user, unique):
    source, sink, group, identity = make("tx-in"), make("tx-out"), unique("tx-group"), unique("tx")
    account = user(*on_topics(source, sink), ["--operation", "read", "--group", group], transactional(identity))
    result = program("TransactionalRoundTrip", account.properties, source, sink, group, identity, unique("not-mine"))
    assert failed(result) == "GroupAuthorizationException"


def test_the_newer_consumer_groups_by_names_and_by_pattern(program, place, user, unique):
    prefix, group = unique("kip848"), unique("kip848-group")
    for ending in ("a", "b", "hidden"):
        place.run("topic", "create", f"{prefix}-{ending}", "--partitions", "2")
    account = user(*on_topics(f"{prefix}-a", f"{prefix}-b"), ["--operation", "read", "--group", group, "--pattern", "prefixed"])
    seen = succeeded(program("ConsumerProtocol", account.properties, prefix, group))
    assert seen["names"] == "40" and seen["shared"] == "2+2" and seen["pattern"] == "40"
    # The coordinator matches the pattern: a topic that the user may not describe is none of the matches.
    assert seen["pattern_topics"] == f"[{prefix}-a, {prefix}-b]"


def test_a_newer_consumer_group_of_somebody_else_is_refused(program, place, user, unique):
    prefix, group = unique("kip848"), unique("kip848-group")
    for ending in ("a", "b"):
        place.run("topic", "create", f"{prefix}-{ending}", "--partitions", "2")
    account = user(*on_topics(f"{prefix}-a", f"{prefix}-b"))
    assert failed(program("ConsumerProtocol", account.properties, prefix, group)) == "GroupAuthorizationException"


@pytest.fixture
def share_group(place, kafka, unique):
    """A share group that begins at the earliest record."""
    group = unique("share-group")
    altered = kafka(
        "configs", "--bootstrap-server", place.bootstrap, "--command-config", place.client("admin", "properties"),
        "--alter", "--entity-type", "groups", "--entity-name", group, "--add-config", "share.auto.offset.reset=earliest",
    )
    assert altered.returncode == 0, altered.stdout + altered.stderr
    return group


def test_a_share_group_settles_every_record(program, make, user, share_group):
    topic = make("share")
    account = user(*on_topics(topic), ["--operation", "read", "--group", share_group])
    seen = succeeded(program("ShareRoundTrip", account.properties, topic, share_group))
    assert seen["accepted"] == "9" and seen["rejected"] == "1" and int(seen["released"]) > 0


def test_a_share_group_of_somebody_else_is_refused(program, make, user, share_group):
    topic = make("share")
    account = user(*on_topics(topic))
    assert failed(program("ShareRoundTrip", account.properties, topic, share_group)) == "GroupAuthorizationException"


@streams
def test_a_streams_application_counts_words(program, make, user, unique, tmp_path, protocol):
    source, sink, application = make("lines"), make("counts"), unique("word-count")
    account = user(
        *on_topics(source, sink),
        # Its own topics, groups and transactions all begin with its id.
        ["--operation", "all", "--topic", application, "--pattern", "prefixed"],
        ["--operation", "read", "--operation", "describe", "--group", application],
        [*transactional(application), "--pattern", "prefixed"],
    )
    seen = succeeded(program("StreamsWordCount", account.properties, source, sink, application, protocol, tmp_path))
    counts = dict(re.findall(r"(\w+)=(\d+)", seen["counts"]))
    assert counts == {"lock": "2", "the": "3", "door": "1", "castle": "2"}


@streams
def test_a_streams_application_without_rights_on_its_own_topics_is_refused(
    program, make, user, unique, tmp_path, protocol
):
    source, sink, application = make("lines"), make("counts"), unique("word-count")
    account = user(
        *on_topics(source, sink),
        ["--operation", "read", "--operation", "describe", "--group", application],
        [*transactional(application), "--pattern", "prefixed"],
    )
    result = program("StreamsWordCount", account.properties, source, sink, application, protocol, tmp_path)
    assert result.returncode == 1 and "Authorization" in result.stdout + result.stderr, result.stdout + result.stderr


def test_the_stock_tool_shows_and_deletes_a_streams_group(schloss, program, kafka, make, user, unique, tmp_path):
    source, sink, application = make("lines", 2), make("counts"), unique("word-count")
    account = user(
        *on_topics(source, sink),
        ["--operation", "all", "--topic", application, "--pattern", "prefixed"],
        ["--operation", "read", "--operation", "describe", "--group", application],
        [*transactional(application), "--pattern", "prefixed"],
    )
    succeeded(program("StreamsWordCount", account.properties, source, sink, application, "streams", tmp_path))

    def tool(*arguments):
        result = kafka(
            "streams-groups", *arguments,
            "--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties"),
        )
        assert result.returncode == 0 and "Exception" not in result.stdout + result.stderr, result.stdout + result.stderr
        return result.stdout

    assert application in tool("--list").split()
    # The program is gone, and so is its member.
    assert re.search(rf"{application}.*Empty", tool("--describe", "--group", application, "--state"))
    assert application in tool("--delete", "--group", application)
    assert application not in tool("--list").split()
