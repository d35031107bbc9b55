"""Two gateways on one state: what is changed through one holds on the other."""

import json
import threading
import time

import pytest
from accounts import make_account
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ConfigResource, ResourcePatternType,
    ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion,
)

pytestmark = pytest.mark.gateway_only("two gateways")
TIMEOUT = 20
# The promise: a change is in force on every gateway within this many seconds.
IN_FORCE_SECONDS = 1


@pytest.fixture
def pair(gateway):
    first = gateway()
    yield first, gateway(beside=first)


def acl(user, topic, operation=AclOperation.WRITE):
    return AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW
    )


def filter_of(binding):
    return AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
        binding.operation, binding.permission_type,
    )


def seconds_until(holds):
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() < begun + TIMEOUT, "never came into force"
    return time.monotonic() - begun


def test_an_acl_is_in_force_on_the_other_gateway_within_a_second(pair, unique):
    """Asked for by DescribeConfigs, which no client remembers an error of."""
    first, second = pair
    topic, name = unique("pair"), unique("pair-user")
    first.run("topic", "create", topic, "--partitions", "1")
    account = make_account(second, name)
    asker, resource = AdminClient(account.conf()), ConfigResource(ConfigResource.Type.TOPIC, topic)

    def allowed():
        try:
            asker.describe_configs([resource])[resource].result(TIMEOUT)
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
            return False
        return True

    assert not allowed()
    admin, times = AdminClient(first.conf("admin")), []
    for _ in range(5):
        binding = acl(name, topic, AclOperation.DESCRIBE_CONFIGS)
        admin.create_acls([binding])[binding].result(TIMEOUT)
        times.append(seconds_until(allowed))
        [removed] = admin.delete_acls([filter_of(binding)]).values()
        assert len(removed.result(TIMEOUT)) == 1
        times.append(seconds_until(lambda: not allowed()))
    print("an ACL is in force on the other gateway after (s):", [round(seconds, 3) for seconds in times])
    assert max(times) < IN_FORCE_SECONDS, times


def test_a_user_is_known_and_forgotten_on_the_other_gateway_within_a_second(pair, unique):
    first, second = pair
    name, password = unique("pair-user"), "a-password-of-the-pair"
    admin, times = AdminClient(first.conf("admin")), []
    second.write_client_files(name, password, second.conf("admin")["ssl.ca.location"])

    def logs_in():
        code = second.run("topic", "list", account=name, check=False).returncode
        assert code in (0, 4), code
        return code == 0

    assert not logs_in()
    for _ in range(3):
        made = UserScramCredentialUpsertion(name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password.encode())
        admin.alter_user_scram_credentials([made])[name].result(TIMEOUT)
        times.append(seconds_until(logs_in))
        gone = UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512)
        admin.alter_user_scram_credentials([gone])[name].result(TIMEOUT)
        times.append(seconds_until(lambda: not logs_in()))
    print("a user is known on the other gateway after (s):", [round(seconds, 3) for seconds in times])
    assert max(times) < IN_FORCE_SECONDS, times


def test_two_administrators_at_once_lose_nothing_of_one_another(pair, gateway, unique):
    """Both add and remove ACLs of the same user and topic prefix, and users, as fast as they can."""
    count, user = 60, unique("pair-user")
    failures, topics = [], {number: [f"{unique('pair')}-{index}" for index in range(count)] for number in range(2)}

    def work(number, server):
        try:
            admin = AdminClient(server.conf("admin"))
            for index, topic in enumerate(topics[number]):
                binding = acl(user, topic)
                admin.create_acls([binding])[binding].result(TIMEOUT)
                if index % 3 == 0:
                    [removed] = admin.delete_acls([filter_of(binding)]).values()
                    assert len(removed.result(TIMEOUT)) == 1, f"not there when removed: {binding}"
                if index % 10 == 0:
                    name = f"{user}-{number}-{index}"
                    made = UserScramCredentialUpsertion(
                        name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"a-password-of-the-pair"
                    )
                    admin.alter_user_scram_credentials([made])[name].result(TIMEOUT)
        except Exception as error:  # noqa: BLE001: shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=item) for item in enumerate(pair)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    kept = {topic for names in topics.values() for index, topic in enumerate(names) if index % 3}
    users = {f"{user}-{number}-{index}" for number in range(2) for index in range(0, count, 10)}
    third = gateway(beside=pair[0])

    def seen(server):
        acls = json.loads(server.run("acl", "list", "--principal", f"User:{user}", "--output", "json").stdout)
        listed = server.run("user", "list").stdout.split()
        return {entry["resource_name"] for entry in acls}, {name for name in users if name in listed}

    # A gateway that starts has read everything before it serves; the others within their second.
    assert seen(third) == (kept, users)
    for server in pair:
        assert seconds_until(lambda server=server: seen(server) == (kept, users)) < IN_FORCE_SECONDS


def test_both_gateways_are_the_same_cluster_to_clients(pair):
    # A client that is gone before its answer destroys it.
    admins = [AdminClient(server.conf("admin")) for server in pair]
    described = [admin.describe_cluster().result(TIMEOUT) for admin in admins]
    assert described[0].cluster_id == described[1].cluster_id
    assert [sorted(node.id for node in one.nodes) for one in described] == [[1, 2, 3]] * 2
    addresses = [{(node.host, node.port) for node in one.nodes} for one in described]
    assert not addresses[0] & addresses[1], "each gives its own addresses"
