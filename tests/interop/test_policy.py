"""Groups, roles and policies: made with the stock tools and with ours, obeyed by stock clients."""

import json
import time

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from endpoint import write_private

TIMEOUT = 30


@pytest.fixture
def acls(schloss, kafka):
    """Runs `kafka-acls` as the administrator."""
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    return lambda *arguments: kafka("acls", *admin, *arguments)


def produce(producer, topic):
    """The error of one record, if there is one."""
    errors = []
    try:
        producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
    except KafkaException as refused:
        # It knows the topic as one that it may not write to.
        return refused.args[0].code()
    producer.flush(TIMEOUT)
    assert len(errors) == 1, "the record is neither written nor refused"
    return errors[0] and errors[0].code()


def explain(schloss, principal, operation, topic, *more):
    words = ["access", "explain", "--principal", principal, "--operation", operation, "--topic", topic, "--output", "json"]
    result = schloss.run(*words, *more, check=False)
    assert result.returncode in (0, 6), result.stderr
    explanation = json.loads(result.stdout)
    assert explanation["allowed"] == (result.returncode == 0)
    return explanation


def test_a_group_in_kafka_acls_allows_and_denies_members_of_open_connections(schloss, acls, account, topic, unique):
    name, user, group, banned = topic(), account(), unique("group"), unique("banned")
    # librdkafka remembers for a while what it may not do, so whoever was refused begins anew.
    new = lambda: Producer(schloss.conf(user.name))
    added = acls("--add", "--allow-principal", f"Group:{group}", "--operation", "Write", "--topic", name)
    assert f"principal=Group:{group}" in added.stdout, added.stdout
    assert produce(new(), name) == KafkaError.TOPIC_AUTHORIZATION_FAILED, "nobody is in it yet"
    schloss.run("group", "add", group, "--member", f"User:{user.name}")
    kept = new()
    assert produce(kept, name) is None
    acls("--add", "--deny-principal", f"Group:{banned}", "--operation", "Write", "--topic", name)
    assert produce(kept, name) is None, "nobody is in it yet"
    schloss.run("group", "add", banned, "--member", f"User:{user.name}")
    assert produce(kept, name) == KafkaError.TOPIC_AUTHORIZATION_FAILED, "the connection was open"
    refused = explain(schloss, f"User:{user.name}", "write", name)
    assert refused["through"] == f"Group:{banned}" and sorted(refused["local_groups"]) == sorted([f"Group:{group}", f"Group:{banned}"])
    schloss.run("group", "remove", banned, "--yes")
    assert produce(new(), name) is None
    listed = acls("--list", "--principal", f"Group:{group}").stdout
    assert name in listed and f"Group:{group}" in listed, listed
    acls("--remove", "--force", "--allow-principal", f"Group:{group}", "--operation", "Write", "--topic", name)
    assert produce(new(), name) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_role_of_a_group_on_a_prefix_and_a_denial_on_top(schloss, acls, account, topic, unique):
    prefix, group = unique("role"), unique("group")
    name, secret = topic(prefix), topic(prefix)
    user = account()
    schloss.run("group", "add", group, "--member", f"User:{user.name}")
    bind = ["DeveloperWrite", "--principal", f"Group:{group}", "--topic", prefix, "--pattern", "prefixed"]
    schloss.run("role", "bind", *bind)
    producer = Producer(schloss.conf(user.name))
    assert produce(producer, name) is None and produce(producer, secret) is None
    allowed = explain(schloss, f"User:{user.name}", "write", name)
    assert allowed["reason"] == f"role DeveloperWrite of Group:{group} on topic prefixed {prefix}", allowed
    acls("--add", "--deny-principal", f"User:{user.name}", "--operation", "Write", "--topic", secret)
    assert produce(producer, secret) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert produce(producer, name) is None
    who = json.loads(schloss.run("access", "who-can", "--operation", "write", "--topic", name, "--output", "json").stdout)
    assert {f"Group:{group}", f"User:{user.name}"} <= {holder["principal"] for holder in who}
    rules = json.loads(schloss.run("access", "of", f"User:{user.name}", "--output", "json").stdout)
    assert {(rule["holder"], rule["permission"]) for rule in rules} == {(f"Group:{group}", "allow"), (f"User:{user.name}", "deny")}
    described = json.loads(schloss.run("role", "describe", "DeveloperWrite", "--output", "json").stdout)
    assert f"Group:{group}" in json.dumps(described["bindings"])
    schloss.run("role", "unbind", *bind, "--yes")
    assert produce(producer, name) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_role_ends_by_itself(schloss, account, topic):
    name, user = topic(), account()
    schloss.run("role", "bind", "DeveloperWrite", "--principal", f"User:{user.name}", "--topic", name, "--until", "6s")
    producer = Producer(schloss.conf(user.name))
    assert produce(producer, name) is None
    end = time.monotonic() + TIMEOUT
    while produce(producer, name) is None:
        assert time.monotonic() < end, "it never ends"
        time.sleep(0.2)
    assert explain(schloss, f"User:{user.name}", "write", name)["rules"][0]["idle"] == "it has ended"


def test_a_role_of_ones_own_administers_what_it_says(schloss, account, topic, unique):
    name, role, user = topic(), unique("role"), account()
    schloss.run("role", "create", role, "--allow", "topic=delete,describe")
    schloss.run("role", "bind", role, "--principal", f"User:{user.name}", "--topic", name)
    again = schloss.run("role", "delete", role, "--yes", check=False)
    assert again.returncode == 1 and "is bound" in again.stderr, again.stderr
    admin = AdminClient(schloss.conf(user.name))
    other = topic()
    with pytest.raises(KafkaException) as refused:
        admin.delete_topics([other])[other].result(TIMEOUT)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    admin.delete_topics([name])[name].result(TIMEOUT)


def test_who_lacks_the_right_changes_nothing_and_is_on_record(schloss, account, unique):
    user, group = account(), unique("group")
    for words in [
        ["group", "add", group, "--member", f"User:{user.name}"],
        ["role", "bind", "SystemAdmin", "--principal", f"User:{user.name}", "--cluster"],
        ["policy", "export"],
        ["access", "of", "User:admin"],
    ]:
        result = schloss.run(*words, account=user.name, check=False)
        assert result.returncode == 5, result.stderr
    assert group not in schloss.run("group", "list").stdout
    denied = schloss.audit("--principal", user.name, "--decision", "denied")
    assert {"schloss.AlterSecurity", "schloss.DescribeSecurity"} <= {record["data"]["methodName"] for record in denied}


def test_a_policy_is_exported_planned_applied_and_asked_offline(schloss, account, topic, unique, tmp_path):
    name, group, user = topic(), unique("group"), account()
    before = schloss.run("policy", "export", "--output", "json").stdout
    policy = json.loads(before)
    assert user.name in policy["users"] and "salt" not in before
    file = write_private(tmp_path / "policy.json", before)
    assert json.loads(schloss.run("policy", "plan", file, "--output", "json").stdout) == []
    policy["groups"][group] = [f"User:{user.name}"]
    on = {"resource_type": "topic", "pattern_type": "literal", "resource_name": name}
    policy["bindings"].append({"role": "DeveloperWrite", "principal": f"Group:{group}", "resource": on})
    # Others change users and quotas meanwhile; a part that is left out stays as it is.
    wanted = {key: policy[key] for key in ("version", "groups", "bindings")}
    file = write_private(tmp_path / "policy.json", json.dumps(wanted))
    steps = json.loads(schloss.run("policy", "plan", file, "--output", "json").stdout)
    assert [(step["do"], step["what"]) for step in steps] == [("add", "group"), ("add", "binding")], steps
    assert explain(schloss, f"User:{user.name}", "write", name)["allowed"] is False
    schloss.run("policy", "apply", file, "--yes")
    assert explain(schloss, f"User:{user.name}", "write", name)["allowed"] is True
    assert json.loads(schloss.run("policy", "apply", file, "--yes", "--output", "json").stdout) == []
    assert produce(Producer(schloss.conf(user.name)), name) is None

    yaml = write_private(tmp_path / "policy.yaml", schloss.run("policy", "export").stdout)
    offline = ["access", "explain", "--principal", f"User:{user.name}", "--topic", name, "--policy", yaml, "--operation"]
    assert schloss.run(*offline, "write", account=None).returncode == 0
    assert schloss.run(*offline, "read", account=None, check=False).returncode == 6
    records = schloss.audit("--operation", "AlterSecurity", "--principal", "admin")
    assert any(group in json.dumps(record) for record in records)


def test_a_plan_names_what_happened_and_would_be_denied(schloss, account, topic, tmp_path):
    name, user = topic(), account()
    schloss.run("acl", "add", "--allow-principal", f"User:{user.name}", "--operation", "write", "--topic", name)
    schloss.run("acl", "add", "--allow-principal", f"User:{user.name}", "--operation", "read", "--topic", name)
    producer = Producer(schloss.conf(user.name))
    assert produce(producer, name) is None
    # The sums of a session are written when it ends.
    del producer
    schloss.await_audit("--principal", user.name, "--operation", "write", "--resource", name, seconds=TIMEOUT)
    policy = json.loads(schloss.run("policy", "export", "--output", "json").stdout)
    acls = [acl for acl in policy["acls"] if acl["resource_name"] != name]
    file = write_private(tmp_path / "policy.json", json.dumps({"version": 1, "acls": acls}))
    place = ["--data-dir", str(schloss.data_dir)]
    plan = json.loads(schloss.run("policy", "plan", file, "--replay-days", "1", *place, "--output", "json").stdout)
    lost = [one for one in plan["would_be_denied"] if one["resource_name"] == name]
    assert [(one["principal"], one["operation"]) for one in lost if one["principal"] == f"User:{user.name}"] == [
        (f"User:{user.name}", "write")
    ], plan
    [log] = plan["audit_logs"]
    assert log["directory"] == str(schloss.data_dir / "audit") and log["records"] > 0, log
    told = json.loads(
        schloss.run("access", "advise", "--principal", f"User:{user.name}", "--since", "1d", *place, "--output", "json").stdout
    )
    [advice] = told["advice"]
    assert len(told["audit_logs"]) == 1
    assert [rule["operations"] for rule in advice["unused"]] == [["read"]], advice
    assert [(acl["operation"], acl["resource_name"]) for acl in advice["enough"]] == [("write", name)]


def test_nobody_locks_itself_out(schloss, account, tmp_path):
    chief = account()
    for operation in ("alter", "describe"):
        schloss.run("acl", "add", "--allow-principal", f"User:{chief.name}", "--operation", operation, "--cluster")
    policy = json.loads(schloss.run("policy", "export", "--output", "json", account=chief.name).stdout)
    acls = [acl for acl in policy["acls"] if acl["principal"] != f"User:{chief.name}"]
    file = write_private(tmp_path / "policy.json", json.dumps({"version": 1, "acls": acls}))
    refused = schloss.run("policy", "apply", file, "--yes", account=chief.name, check=False)
    assert refused.returncode == 1 and "nothing was changed" in refused.stderr, refused.stderr
    assert schloss.run("policy", "export", account=chief.name).returncode == 0
