"""Delegation tokens: the stock tool and Java clients with `tokenauth`, our command line, and who must not get in.

On the gateway engine the cluster itself is asked the same, for what both promise.
"""

import json
import pathlib
import re
import subprocess
import time

import pytest
from accounts import make_account
from confluent_kafka import KafkaError, Producer
from endpoint import jaas, write_private
from gateway_config import impersonating
from java import java_command

TIMEOUT = 30


def with_token(place, path, token_id, hmac, mechanism="SCRAM-SHA-512"):
    """A Java client file for a token, beside those of users."""
    text = pathlib.Path(place.client("admin", "properties")).read_text()
    login = jaas(mechanism, token_id, hmac, options=' tokenauth="true"').replace("\\", r"\\")
    text = re.sub(r"sasl\.jaas\.config=.*", lambda _: f"sasl.jaas.config={login}", text)
    text = re.sub(r"sasl\.mechanism=.*", f"sasl.mechanism={mechanism}", text)
    return write_private(path, text)


@pytest.fixture
def tool(place, kafka):
    """`kafka-delegation-tokens` as somebody."""

    def run(properties, *arguments):
        return kafka(
            "delegation-tokens", "--bootstrap-server", place.bootstrap, "--command-config", properties, *arguments
        )

    return run


def described(tool, properties, owner):
    """Without an owner the tool asks for the tokens of nobody."""
    return rows(tool(properties, "--describe", "--owner-principal", f"User:{owner}"))


def rows(result):
    """The tokens of a table, by id: HMAC and the rest of the line."""
    assert result.returncode == 0, result.stdout + result.stderr
    found = re.findall(r"^(\S{22})\s+(\S{86,88}={0,2})\s+(.*)$", result.stdout, re.MULTILINE)
    return {token_id: (hmac, rest) for token_id, hmac, rest in found}


def create(tool, properties, *arguments):
    result = tool(properties, "--create", "--max-life-time-period", "-1", *arguments)
    (made,) = rows(result).items()
    return made[0], made[1][0]


def topics(kafka, place, properties):
    return kafka("topics", "--bootstrap-server", place.bootstrap, "--command-config", properties, "--list", timeout=60)


def await_topics(kafka, place, properties, wanted):
    """The brokers of a cluster learn of a token one after the other."""
    end = time.monotonic() + TIMEOUT
    while True:
        result = topics(kafka, place, properties)
        if result.returncode == 0 and wanted in result.stdout.split():
            return
        assert time.monotonic() < end, result.stdout + result.stderr
        time.sleep(0.5)


def is_refused(result):
    return "SaslAuthenticationException" in result.stdout + result.stderr


def test_the_stock_tool_makes_renews_shows_and_ends_tokens_for_java_clients(place, tool, kafka, unique, tmp_path):
    name, renewer = make_account(place, unique("owner")), make_account(place, unique("renewer"))
    topic = unique("delegated")
    place.run("topic", "create", topic, "--partitions", "1")
    place.run("acl", "add", "--allow-principal", f"User:{name.name}", "--operation", "all", "--topic", topic)
    token_id, hmac = create(tool, name.properties, "--renewer-principal", f"User:{renewer.name}")
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        path = with_token(place, tmp_path / f"{mechanism}.properties", token_id, hmac, mechanism)
        await_topics(kafka, place, path, topic)
    # Who has come by a token can make no other.
    again = tool(path, "--create", "--max-life-time-period", "-1")
    assert "Delegation Token requests are not allowed" in again.stdout + again.stderr, again.stdout + again.stderr
    for seen_by in (name, renewer):
        told = described(tool, seen_by.properties, name.name)
        assert told[token_id][0] == hmac and f"User:{name.name}" in told[token_id][1], told
    renewed = tool(renewer.properties, "--renew", "--renew-time-period", "3600000", "--hmac", hmac)
    assert renewed.returncode == 0, renewed.stdout + renewed.stderr
    stranger = make_account(place, unique("stranger"))
    assert described(tool, stranger.properties, name.name) == {}
    mismatch = tool(stranger.properties, "--renew", "--renew-time-period", "-1", "--hmac", hmac)
    assert "DelegationTokenOwnerMismatchException" in mismatch.stdout + mismatch.stderr, mismatch.stdout
    ended = tool(renewer.properties, "--expire", "--expiry-time-period", "-1", "--hmac", hmac)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    end = time.monotonic() + TIMEOUT
    while not is_refused(topics(kafka, place, path)):
        assert time.monotonic() < end, "it lets in although it was ended"
    unknown = tool(name.properties, "--renew", "--renew-time-period", "-1", "--hmac", hmac)
    assert "DelegationTokenNotFoundException" in unknown.stdout + unknown.stderr, unknown.stdout + unknown.stderr


def test_tokens_for_others_need_acls_on_the_user_that_the_stock_tool_makes(place, tool, kafka, unique, tmp_path):
    maker, topic = make_account(place, unique("maker")), unique("delegated")
    owner = f"User:{unique('somebody')}"
    denied = tool(maker.properties, "--create", "--max-life-time-period", "-1", "--owner-principal", owner)
    assert "DelegationTokenAuthorizationException" in denied.stdout + denied.stderr, denied.stdout + denied.stderr
    admin = ["--bootstrap-server", place.bootstrap, "--command-config", place.client("admin", "properties")]
    added = kafka(
        "acls", *admin, "--add", "--allow-principal", f"User:{maker.name}", "--operation", "CreateTokens",
        "--operation", "DescribeTokens", "--user-principal", owner,
    )
    assert added.returncode == 0, added.stdout + added.stderr
    place.run("topic", "create", topic, "--partitions", "1")
    place.run("acl", "add", "--allow-principal", owner, "--operation", "describe", "--topic", topic)
    end = time.monotonic() + TIMEOUT
    while True:
        result = tool(maker.properties, "--create", "--max-life-time-period", "-1", "--owner-principal", owner)
        made = rows(result) if result.returncode == 0 else {}
        if made:
            break
        assert time.monotonic() < end, result.stdout + result.stderr
    ((token_id, (hmac, rest)),) = made.items()
    assert owner in rest and f"User:{maker.name}" in rest
    await_topics(kafka, place, with_token(place, tmp_path / "other.properties", token_id, hmac), topic)
    # A third one sees it by an ACL on the token itself.
    reader = make_account(place, unique("reader"))
    assert described(tool, reader.properties, owner.removeprefix("User:")) == {}
    kafka(
        "acls", *admin, "--add", "--allow-principal", f"User:{reader.name}", "--operation", "Describe",
        "--delegation-token", token_id,
    )
    end = time.monotonic() + TIMEOUT
    while token_id not in described(tool, reader.properties, owner.removeprefix("User:")):
        assert time.monotonic() < end


def test_our_command_line_makes_a_client_file_of_a_token_and_ends_it(place, kafka, unique, tmp_path):
    user, topic = make_account(place, unique("cli-owner")), unique("delegated")
    place.run("topic", "create", topic, "--partitions", "1")
    place.run("acl", "add", "--allow-principal", f"User:{user.name}", "--operation", "describe", "--topic", topic)
    out = tmp_path / "token.properties"
    made = json.loads(
        place.run("token", "create", "--out", str(out), "--max-lifetime", "2h", "--output", "json", account=user.name).stdout
    )
    assert out.stat().st_mode & 0o777 == 0o600 and "hmac" not in made and made["owner"] == f"User:{user.name}", made
    assert user.password not in out.read_text()
    await_topics(kafka, place, str(out), topic)
    listed = json.loads(place.run("token", "list", "--output", "json", account=user.name).stdout)
    assert [row["id"] for row in listed] == [made["id"]] and "hmac" not in json.dumps(listed), listed
    renewed = json.loads(
        place.run("token", "renew", made["id"], "--for", "1h", "--output", "json", account=user.name).stdout
    )
    assert renewed["id"] == made["id"] and renewed["expires"] < made["max"], (renewed, made)
    place.run("token", "expire", made["id"], "--yes", account=user.name)
    end = time.monotonic() + TIMEOUT
    while not is_refused(topics(kafka, place, str(out))):
        assert time.monotonic() < end
    gone = place.run("token", "renew", made["id"], account=user.name, check=False)
    assert gone.returncode == 1 and "there is no token" in gone.stderr, gone.stderr


def test_an_ended_token_closes_the_java_client_that_uses_it(schloss, account, topic, unique, tmp_path):
    name, group = topic(), unique("group")
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", group])
    out = tmp_path / "token.properties"
    made = json.loads(schloss.run("token", "create", "--out", str(out), "--output", "json", account=user.name).stdout)
    schloss.run("produce", name, account=user.name, stdin="before\n")
    command = java_command(
        "console-consumer", "--bootstrap-server", schloss.bootstrap, "--command-config", str(out),
        "--topic", name, "--group", group, "--from-beginning",
    )
    # In a file: how long it tries to leave its group before it ends is its own affair.
    errors = tmp_path / "errors"
    with errors.open("w") as file:
        consumer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        assert consumer.stdout.readline() == "before\n"
        schloss.run("token", "expire", made["id"], "--yes", account=user.name)
        cut = schloss.await_audit("--kind", "connection", "--principal", user.name, count=1, seconds=3)
        assert "was removed" in cut[0]["data"]["result"]["message"], cut
        end = time.monotonic() + TIMEOUT
        while "SaslAuthenticationException" not in errors.read_text():
            assert time.monotonic() < end, errors.read_text()
            time.sleep(0.1)
    finally:
        consumer.kill()
        consumer.wait()
    logins = schloss.audit("--kind", "authentication", "--principal", user.name)
    assert any(made["id"] in (record["data"]["result"].get("message") or "") for record in logins), logins
    text = pathlib.Path(out).read_text()
    hmac = re.search(r'password="([^"]+)"', text).group(1)
    everything = json.dumps(schloss.audit()) + "".join(schloss.output)
    assert made["id"] in everything and hmac not in everything


def test_offboarding_takes_the_tokens_along(schloss, account, kafka, topic, tmp_path):
    name = topic()
    user = account(["--operation", "describe", "--topic", name], prefix="token-leaver")
    out = tmp_path / "token.properties"
    made = json.loads(schloss.run("token", "create", "--out", str(out), "--output", "json", account=user.name).stdout)
    await_topics(kafka, schloss, str(out), name)
    planned = schloss.run("user", "offboard", user.name, "--dry-run").stdout
    assert f"- token {made['id']}" in planned, planned
    schloss.run("user", "offboard", user.name, "--yes")
    assert is_refused(topics(kafka, schloss, str(out)))
    assert made["id"] not in schloss.run("token", "list").stdout


def test_a_tokens_hmac_is_no_password(schloss, account):
    """librdkafka knows no `tokenauth`: with a token as user name and password it is a user that does not exist."""
    user = account()
    made = json.loads(schloss.run("token", "create", "--output", "json", account=user.name).stdout)
    for name in (made["id"], user.name):
        errors = []
        conf = {**user.conf(), "sasl.username": name, "sasl.password": made["hmac"]}
        producer = Producer({**conf, "error_cb": errors.append, "log_level": 0})
        end = time.monotonic() + TIMEOUT
        while not any(error.code() == KafkaError._AUTHENTICATION for error in errors):
            producer.poll(0.1)
            assert time.monotonic() < end, errors
    schloss.run("token", "expire", made["id"], "--yes", account=user.name)


@pytest.mark.gateway_only("tokens of the cluster behind it")
def test_tokens_of_a_gateway_live_beside_those_that_it_takes_upstream(gateway, cluster, kafka, unique, tmp_path):
    server = gateway(beside=gateway(), change=impersonating)
    topic = unique("impersonated")
    cluster.run("topic", "create", topic, "--partitions", "1")
    user = make_account(server, unique("impersonated"), ["--operation", "all", "--topic", topic])
    cluster.acls("--add", "--allow-principal", f"User:{user.name}", "--operation", "All", "--topic", topic)
    out = tmp_path / "token.properties"
    made = json.loads(server.run("token", "create", "--out", str(out), "--output", "json", account=user.name).stdout)
    # By a token of ours to the gateway, which goes on by one of the cluster's for the same user.
    await_topics(kafka, server, str(out), topic)
    ours = [row["id"] for row in json.loads(server.run("token", "list", "--output", "json", account=user.name).stdout)]
    theirs = [row["id"] for row in json.loads(cluster.run("token", "list", "--output", "json").stdout) if row["owner"] == f"User:{user.name}"]
    assert ours == [made["id"]] and theirs and made["id"] not in theirs, (ours, theirs)


@pytest.mark.gateway_only("two gateways on one state")
def test_a_token_of_one_gateway_is_good_at_the_other_and_ends_at_both(gateway, kafka, unique, tmp_path):
    first = gateway()
    second = gateway(beside=first)
    topic = unique("shared")
    first.run("topic", "create", topic, "--partitions", "1")
    user = make_account(first, unique("shared"), ["--operation", "describe", "--topic", topic])
    made = json.loads(first.run("token", "create", "--output", "json", account=user.name).stdout)
    path = with_token(second, tmp_path / "token.properties", made["id"], made["hmac"])
    await_topics(kafka, second, path, topic)
    first.run("token", "expire", made["id"], "--yes", account=user.name)
    end = time.monotonic() + TIMEOUT
    while not is_refused(topics(kafka, second, path)):
        assert time.monotonic() < end
