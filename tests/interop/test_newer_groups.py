"""Consumer groups by the new protocol (KIP-848): librdkafka as the member, the stock tools as the administrator."""

import re
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

TIMEOUT = 60


class Member:
    """A consumer that remembers what was given to it and taken from it."""

    def __init__(self, conf, group, topics, **more):
        self.moves, self.values = [], []
        settings = {"group.id": group, "group.protocol": "consumer", "auto.offset.reset": "earliest", **more}
        self.consumer = Consumer({**conf, **settings})
        self.consumer.subscribe(topics, on_assign=self._given, on_revoke=self._taken, on_lost=self._lost)

    def _given(self, _, partitions):
        self.moves.append(("given", len(partitions)))

    def _taken(self, _, partitions):
        self.moves.append(("taken", len(partitions)))

    def _lost(self, _, partitions):
        self.moves.append(("lost", len(partitions)))

    def poll(self):
        message = self.consumer.poll(0.1)
        if message and message.error():
            raise KafkaException(message.error())
        if message:
            self.values.append(message.value())

    @property
    def owned(self):
        return sorted((one.topic, one.partition) for one in self.consumer.assignment())

    def close(self):
        self.consumer.close()


def until(what, done, *members):
    end = time.monotonic() + TIMEOUT
    while not done():
        assert time.monotonic() < end, f"{what}: {[(one.owned, one.moves, one.values) for one in members]}"
        for member in members:
            member.poll()


def produce(conf, topic, values):
    producer = Producer(conf)
    for index, value in enumerate(values):
        producer.produce(topic, value, partition=index % 4)
    assert producer.flush(TIMEOUT) == 0


def reader(account, group, *topics):
    on_topics = [["--operation", "all", "--topic", topic] for topic in topics]
    return account(*on_topics, ["--operation", "read", "--group", group])


def test_members_share_and_go_on_where_others_stopped(account, topic, unique):
    name, group = topic(partitions=4), unique("group")
    user = reader(account, group, name)
    produce(user.conf(), name, [b"first"] * 8)
    one = Member(user.conf(), group, [name])
    until("everything", lambda: len(one.owned) == 4 and len(one.values) == 8, one)
    one.consumer.commit(asynchronous=False)
    other = Member(user.conf(), group, [name])
    until("two each", lambda: len(one.owned) == len(other.owned) == 2, one, other)
    assert set(one.owned).isdisjoint(other.owned)
    one.close()
    until("all again", lambda: len(other.owned) == 4, other)
    produce(user.conf(), name, [b"second"] * 4)
    until("only what is new", lambda: len(other.values) >= 4, other)
    assert other.values == [b"second"] * 4
    other.close()


def test_a_static_member_comes_back_to_what_it_had(account, topic, unique):
    name, group = topic(partitions=4), unique("group")
    user = reader(account, group, name)
    static = {"group.instance.id": "instance-1"}
    one, other = Member(user.conf(), group, [name], **static), Member(user.conf(), group, [name])
    until("two each", lambda: len(one.owned) == len(other.owned) == 2, one, other)
    had, moves = one.owned, list(other.moves)
    one.close()
    one = Member(user.conf(), group, [name], **static)
    until("the same", lambda: one.owned == had, one, other)
    assert other.moves == moves, "nobody else noticed"
    for member in (one, other):
        member.close()


def test_a_pattern_subscribes_to_the_topics_that_one_may_describe(account, schloss, unique):
    prefix, group = unique("pattern"), unique("group")
    for ending in ("a", "hidden"):
        schloss.run("topic", "create", f"{prefix}-{ending}", "--partitions", "1")
    user = reader(account, group, f"{prefix}-a", f"{prefix}-later")
    one = Member(user.conf(), group, [f"^{prefix}-.*"])
    until("one topic", lambda: one.owned == [(f"{prefix}-a", 0)], one)
    schloss.run("topic", "create", f"{prefix}-later", "--partitions", "1")
    until("both", lambda: one.owned == [(f"{prefix}-a", 0), (f"{prefix}-later", 0)], one)
    one.close()


@pytest.mark.serve_only("a cluster's coordinator is the cluster's")
def test_members_do_not_notice_that_the_broker_was_killed(fresh, unique):
    server = fresh()
    server.run("topic", "create", "lasting", "--partitions", "4")
    conf, group = server.conf("admin"), unique("group")
    members = [Member(conf, group, ["lasting"]) for _ in range(2)]
    until("two each", lambda: all(len(one.owned) == 2 for one in members), *members)
    owned, moves = [one.owned for one in members], [list(one.moves) for one in members]
    server.kill()
    server.start()
    produce(conf, "lasting", [b"after"] * 4)
    until("records", lambda: sum(len(one.values) for one in members) == 4, *members)
    # Several heartbeats, each of which could take something away.
    end = time.monotonic() + 12
    until("a while", lambda: time.monotonic() > end, *members)
    assert [one.owned for one in members] == owned and [one.moves for one in members] == moves
    for member in members:
        member.close()


def test_the_stock_tools_see_and_change_such_groups(account, schloss, kafka, topic, unique):
    name, group = topic(partitions=4), unique("group")
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]

    def tool(tool, *arguments):
        result = kafka(tool, *admin, *arguments)
        assert result.returncode == 0 and "Exception" not in result.stdout + result.stderr, result.stdout + result.stderr
        return result.stdout

    user = reader(account, group, name)
    produce(user.conf(), name, [b"x"] * 4)
    tool("configs", "--alter", "--entity-type", "groups", "--entity-name", group,
         "--add-config", "consumer.session.timeout.ms=46000")
    shown = tool("configs", "--describe", "--entity-type", "groups", "--entity-name", group)
    assert "consumer.session.timeout.ms=46000" in shown, shown

    member = Member(user.conf(), group, [name])
    until("everything", lambda: len(member.values) == 4, member)
    member.consumer.commit(asynchronous=False)
    # The member heartbeats in the background meanwhile.
    listed = tool("groups", "--list", "--consumer")
    assert re.search(rf"^{group}\s+Consumer\s+consumer\s*$", listed, re.M), listed
    assert group in tool("consumer-groups", "--list", "--type", "consumer", "--state", "stable")
    assert group not in tool("consumer-groups", "--list", "--type", "classic")
    state = tool("consumer-groups", "--describe", "--group", group, "--state")
    assert "Stable" in state and "uniform" in state, state
    members = tool("consumer-groups", "--describe", "--group", group, "--members", "--verbose")
    assert members.count(f"{name}:0,1,2,3") == 2, "what it has and what it should have: " + members
    offsets = tool("consumer-groups", "--describe", "--group", group)
    assert len(re.findall(rf"^{group}\s+{name}\s+\d+\s+1\s+1\s+0", offsets, re.M)) == 4, offsets
    refused = kafka("consumer-groups", *admin, "--delete", "--group", group)
    assert "GroupNotEmptyException" in refused.stdout + refused.stderr, refused.stdout + refused.stderr
    member.close()

    tool("consumer-groups", "--group", group, "--topic", name, "--reset-offsets", "--to-earliest", "--execute")
    back = Member(user.conf(), group, [name])
    until("once more", lambda: len(back.values) == 4, back)
    back.close()
    tool("consumer-groups", "--delete", "--group", group)
    assert group not in tool("groups", "--list")


def test_a_group_changes_its_protocol_while_nobody_is_in_it(account, topic, unique):
    name, group = topic(partitions=4), unique("group")
    user = reader(account, group, name)
    produce(user.conf(), name, [b"x"] * 4)
    for protocol, expected in [("classic", 4), ("consumer", 0), ("classic", 0)]:
        member = Member(user.conf(), group, [name], **{"group.protocol": protocol})
        until("everything", lambda: len(member.owned) == 4 and len(member.values) >= expected, member)
        assert len(member.values) == expected, "offsets stay"
        if expected:
            member.consumer.commit(asynchronous=False)
        committed = member.consumer.committed([TopicPartition(name, number) for number in range(4)], timeout=TIMEOUT)
        assert [one.offset for one in committed] == [1, 1, 1, 1]
        member.close()


def test_features_say_that_there_are_such_groups(schloss, kafka):
    tools = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    shown = kafka("features", *tools, "describe")
    assert re.search(r"Feature: group\.version\s.*FinalizedVersionLevel: 1\b", shown.stdout), shown.stdout + shown.stderr
