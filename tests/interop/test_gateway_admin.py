"""Every method of Java's Admin, and the `kafka-*` tools that the suite for both engines does not use."""

import json

import pytest
from accounts import make_account

pytestmark = pytest.mark.gateway_only("our own log serves a part of Admin")


@pytest.fixture
def survey(program, place, unique):
    """Runs AdminSurvey as this account on a topic with records and a group with offsets; its calls by name."""

    def run(account):
        topic, group = unique("survey"), unique("survey-group")
        place.run("topic", "create", topic, "--partitions", "1")
        place.run("produce", topic, stdin="one\ntwo\n")
        place.run("consume", topic, "--group", group, "--from-beginning", "--max-messages", "2")
        result = program("AdminSurvey", place.client(account, "properties"), topic, group, "write")
        *lines, last = result.stdout.splitlines()
        assert result.returncode == 0 and last == "ok", result.stdout + result.stderr
        return {call["call"]: call for call in map(json.loads, lines)}, topic, group

    return run


def errors_of(calls):
    return {name: call["error"] for name, call in calls.items() if "error" in call}


# What an administrator is refused, because it does not exist or is asked wrongly; all else succeeds.
REFUSED = {
    "describeShareGroups": "GroupIdNotFoundException",
    "describeStreamsGroups": "GroupIdNotFoundException",
    "describeTransactions": "TransactionalIdNotFoundException",
    "createTopics.again": "TopicExistsException",
    "createTopics.invalid": "InvalidTopicException",
    "incrementalAlterConfigs.invalid": "InvalidConfigurationException",
    "alterPartitionReassignments.cancelled": "NoReassignmentInProgressException",
    "updateFeatures.invalid": "InvalidUpdateVersionException",
    "unregisterBroker.unknown": "BrokerIdNotRegisteredException",
    "deleteTopics.again": "UnknownTopicOrPartitionException",
}


def test_an_administrator_may_use_every_method_of_admin(survey):
    calls, topic, group = survey("admin")
    assert errors_of(calls) == REFUSED, calls
    assert topic in calls["listTopics"]["result"] and group in calls["listGroups"]["result"]
    assert calls["listConsumerGroupOffsets"]["result"].count("offset=2") == 1


# Who the error is about, for a user without any ACL.
DENIED = {
    "Topic": [
        "describeTopics", "describeTopics.byId", "describeConfigs.topic", "listOffsets", "describeProducers",
        "createTopics", "createTopics.again", "createTopics.invalid", "createPartitions", "incrementalAlterConfigs.topic",
        "incrementalAlterConfigs.invalid", "deleteRecords", "deleteTopics", "deleteTopics.again",
    ],
    "Group": [
        "describeConsumerGroups", "describeClassicGroups", "describeShareGroups", "describeStreamsGroups",
        "listConsumerGroupOffsets", "listShareGroupOffsets", "incrementalAlterConfigs.group", "alterConsumerGroupOffsets",
        "deleteConsumerGroupOffsets", "deleteConsumerGroups",
    ],
    "TransactionalId": ["describeTransactions", "fenceProducers"],
    "Cluster": [
        "describeConfigs.broker", "listConfigResources", "describeLogDirs", "describeAcls", "describeUserScramCredentials",
        "describeClientQuotas", "describeMetadataQuorum", "listPartitionReassignments", "alterClientQuotas",
        "alterClientQuotas.back", "electLeaders", "alterPartitionReassignments", "alterPartitionReassignments.cancelled",
        "alterUserScramCredentials", "alterUserScramCredentials.back", "createAcls", "deleteAcls", "updateFeatures.invalid",
        "unregisterBroker.unknown",
    ],
}
# Nobody's secret, or a listing that leaves out what may not be seen.
LEFT_OUT = {
    "describeCluster.authorizedOperations": "[]",
    "listTopics": "[]",
    "listGroups": "[]",
    "listTransactions": "[]",
    "describeDelegationToken": "[]",
}


def test_a_user_without_acls_learns_nothing_from_admin(survey, place, unique):
    account = make_account(place, unique("nobody"))
    calls, topic, group = survey(account.name)
    expected = {name: f"{what}AuthorizationException" for what, names in DENIED.items() for name in names}
    assert errors_of(calls) == expected, calls
    left_out = {name: what for name, what in LEFT_OUT.items() if "result" in calls[name]}
    assert {name: calls[name]["result"] for name in left_out} == left_out
    place.run("topic", "describe", topic)


@pytest.fixture
def tool(place, kafka):
    """Runs a tool as the administrator; it has to succeed."""

    def run(name, *arguments):
        result = kafka(
            name, "--bootstrap-server", place.bootstrap, "--command-config", place.client("admin", "properties"), *arguments
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def test_tools_that_describe_the_cluster(tool, place, unique):
    topic = unique("tools")
    place.run("topic", "create", topic, "--partitions", "3")
    place.run("produce", topic, stdin="one\ntwo\n")
    assert "streams.version" in tool("features", "describe")
    assert "CurrentVoters" in tool("metadata-quorum", "describe", "--status")
    assert topic in tool("log-dirs", "--describe", "--topic-list", topic)
    offsets = dict(line.rsplit(":", 1) for line in tool("get-offsets", "--topic", topic).splitlines())
    assert sorted(offsets) == [f"{topic}:{number}" for number in range(3)]
    assert sum(map(int, offsets.values())) == 2
    elected = tool("leader-election", "--election-type", "preferred", "--topic", topic, "--partition", "0")
    assert "Successfully completed" in elected or "already elected" in elected, elected


def test_tools_that_delete_records_and_list_groups(tool, place, unique, tmp_path):
    topic, group = unique("tools"), unique("tools-group")
    place.run("topic", "create", topic, "--partitions", "1")
    place.run("produce", topic, stdin="one\ntwo\nthree\n")
    place.run("consume", topic, "--group", group, "--from-beginning", "--max-messages", "3")
    wanted = tmp_path / "delete.json"
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 2}]}))
    assert "low_watermark: 2" in tool("delete-records", "--offset-json-file", str(wanted))
    assert f"{topic}:0:2" in tool("get-offsets", "--topic", topic, "--time", "earliest")
    row = next(line.split() for line in tool("groups", "--list").splitlines() if line.startswith(group))
    assert row == [group, "Classic", "consumer"]


def test_what_the_cluster_denies_the_gateway_is_not_blamed_on_the_client(gateway, cluster, unique):
    service, refused = unique("service"), unique("refused-upstream")
    cluster.add_scram_user(service, "service-password-1234")
    rights = ["--topic", "*", "--group", "*", "--transactional-id", "*"]
    cluster.acls("--add", "--allow-principal", f"User:{service}", "--operation", "All", *rights)
    cluster.acls("--add", "--deny-principal", f"User:{service}", "--operation", "Create", "--topic", refused)
    server = gateway(account=service)
    result = server.run("topic", "create", refused, check=False)
    assert result.returncode == 5, result.stderr
    assert f"the cluster behind the gateway denies this to User:{service}" in result.stderr, result.stderr
    assert "User:admin" not in result.stderr and "schloss acl add" not in result.stderr, result.stderr
    # A denial of the gate's own is still the client's.
    stranger = make_account(server, unique("stranger"))
    denied = server.run("topic", "create", unique("mine"), account=stranger.name, check=False)
    assert f"User:{stranger.name} probably lacks CREATE" in denied.stderr, denied.stderr
