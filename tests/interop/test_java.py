"""The stock clients and tools of Apache Kafka."""

import json
import re
import signal
import subprocess
import threading
import time

from java import java_command


def lines(result):
    return [line for line in result.stdout.splitlines() if line.strip()]


def test_console_producer_and_consumer(schloss, kafka):
    values = [f"java-{index}" for index in range(20)]
    made = kafka(
        "console-producer",
        "--bootstrap-server", schloss.bootstrap,
        "--command-config", schloss.client("orders-producer", "properties"),
        "--topic", "orders",
        stdin="\n".join(values) + "\n",
    )
    assert made.returncode == 0, made.stderr
    assert "ERROR" not in made.stderr and "WARN" not in made.stderr, made.stderr
    read = kafka(
        "console-consumer",
        "--bootstrap-server", schloss.bootstrap,
        "--command-config", schloss.client("orders-consumer", "properties"),
        "--topic", "orders",
        "--from-beginning",
        "--timeout-ms", "8000",
    )
    assert set(values) <= set(lines(read)), read.stdout + read.stderr


def test_console_producer_without_an_acl_is_told_so(schloss, kafka, account, topic):
    name = topic()
    user = account()
    result = kafka(
        "console-producer",
        "--bootstrap-server", schloss.bootstrap,
        "--command-config", user.properties,
        "--topic", name,
        stdin="x\n",
    )
    assert "TopicAuthorizationException" in result.stderr, result.stderr


def test_console_consumer_without_a_group_acl_is_told_so(schloss, kafka, account, topic):
    name = topic()
    user = account(["--operation", "read", "--topic", name])
    result = kafka(
        "console-consumer",
        "--bootstrap-server", schloss.bootstrap,
        "--command-config", user.properties,
        "--topic", name, "--group", "not-mine", "--from-beginning", "--timeout-ms", "8000",
    )
    assert "GroupAuthorizationException" in result.stderr, result.stderr


def test_a_wrong_password_is_a_sasl_authentication_exception(schloss, kafka, tmp_path):
    text = open(schloss.client("admin", "properties")).read()
    wrong = tmp_path / "wrong.properties"
    wrong.write_text(re.sub(r'password="[^"]*"', 'password="wrong"', text))
    result = kafka("topics", "--bootstrap-server", schloss.bootstrap, "--command-config", str(wrong), "--list")
    assert result.returncode != 0
    assert "SaslAuthenticationException" in result.stdout + result.stderr, result.stdout + result.stderr


def test_kafka_topics(schloss, kafka, unique):
    name = unique("java-topic")
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    made = kafka("topics", *admin, "--create", "--topic", name, "--partitions", "2", "--config", "max.message.bytes=100000")
    assert made.returncode == 0, made.stdout + made.stderr
    described = kafka("topics", *admin, "--describe", "--topic", name)
    assert "PartitionCount: 2" in described.stdout and "max.message.bytes=100000" in described.stdout, described.stdout
    grown = kafka("topics", *admin, "--alter", "--topic", name, "--partitions", "5")
    assert grown.returncode == 0, grown.stdout + grown.stderr
    assert "PartitionCount: 5" in kafka("topics", *admin, "--describe", "--topic", name).stdout
    assert name in lines(kafka("topics", *admin, "--list"))
    gone = kafka("topics", *admin, "--delete", "--topic", name)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert name not in lines(kafka("topics", *admin, "--list"))


def test_kafka_acls_add_list_and_remove(schloss, kafka, unique):
    user, name = unique("java-user"), unique("java-prefix")
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    binding = ["--topic", name, "--resource-pattern-type", "prefixed", "--operation", "Read", "--operation", "Write"]
    added = kafka("acls", *admin, "--add", "--allow-principal", f"User:{user}", "--allow-host", "10.0.0.1", *binding)
    assert added.returncode == 0, added.stdout + added.stderr
    listed = kafka("acls", *admin, "--list", "--topic", name, "--resource-pattern-type", "prefixed")
    assert f"principal=User:{user}, host=10.0.0.1, operation=READ, permissionType=ALLOW" in listed.stdout, listed.stdout
    assert user in schloss.run("acl", "list").stdout
    matched = kafka("acls", *admin, "--list", "--topic", f"{name}-suffix", "--resource-pattern-type", "match")
    assert user in matched.stdout, matched.stdout
    removed = kafka(
        "acls", *admin, "--remove", "--force", "--allow-principal", f"User:{user}", "--allow-host", "10.0.0.1", *binding
    )
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert user not in schloss.run("acl", "list").stdout
    records = schloss.await_audit("--kind", "administration", "--operation", "DeleteAcls", "--principal", "admin")
    assert user in json.dumps(records[-1])


def test_kafka_acls_convenience_for_producers_and_consumers(schloss, kafka, account, topic, unique):
    name, group = topic(), unique("java-group")
    user = account()
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    for role in (["--producer"], ["--consumer", "--group", group]):
        added = kafka("acls", *admin, "--add", "--allow-principal", f"User:{user.name}", *role, "--topic", name)
        assert added.returncode == 0, added.stdout + added.stderr
    made = kafka(
        "console-producer", "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--topic", name, stdin="granted\n",
    )
    assert made.returncode == 0 and "Exception" not in made.stderr, made.stderr
    read = kafka(
        "console-consumer", "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--topic", name, "--group", group, "--from-beginning", "--max-messages", "1", "--timeout-ms", "15000",
    )
    assert lines(read) == ["granted"], read.stdout + read.stderr


def test_kafka_acls_denied_without_cluster_rights(schloss, kafka, account):
    user = account()
    result = kafka(
        "acls", "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--add", "--allow-principal", f"User:{user.name}", "--operation", "All", "--topic", "*",
    )
    assert "ClusterAuthorizationException" in result.stdout + result.stderr, result.stdout + result.stderr


def test_kafka_configs_makes_scram_users_that_can_log_in(schloss, kafka, unique, tmp_path):
    user, password = unique("java-scram"), "a-password-of-java"
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    entity = ["--entity-type", "users", "--entity-name", user]
    made = kafka(
        "configs", *admin, "--alter", *entity, "--add-config", f"SCRAM-SHA-512=[iterations=4096,password={password}]"
    )
    assert made.returncode == 0, made.stdout + made.stderr
    described = kafka("configs", *admin, "--describe", *entity)
    assert "SCRAM-SHA-512=iterations=4096" in described.stdout, described.stdout + described.stderr
    text = open(schloss.client("admin", "properties")).read()
    own = tmp_path / "own.properties"
    own.write_text(
        re.sub(r'username="[^"]*" password="[^"]*"', f'username="{user}" password="{password}"', text)
    )
    listed = kafka("topics", "--bootstrap-server", schloss.bootstrap, "--command-config", str(own), "--list")
    assert listed.returncode == 0 and lines(listed) == [], "logged in, but may see nothing: " + listed.stdout
    gone = kafka("configs", *admin, "--alter", *entity, "--delete-config", "SCRAM-SHA-512")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    refused = kafka("topics", "--bootstrap-server", schloss.bootstrap, "--command-config", str(own), "--list")
    assert "SaslAuthenticationException" in refused.stdout + refused.stderr
    assert password not in "".join(schloss.output)
    assert password not in json.dumps(schloss.audit())


def test_kafka_configs_on_topics(schloss, kafka, topic):
    name = topic()
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    entity = ["--entity-type", "topics", "--entity-name", name]
    altered = kafka("configs", *admin, "--alter", *entity, "--add-config", "max.message.bytes=2000000")
    assert altered.returncode == 0, altered.stdout + altered.stderr
    described = kafka("configs", *admin, "--describe", *entity)
    assert "max.message.bytes=2000000" in described.stdout, described.stdout
    refused = kafka("configs", *admin, "--alter", *entity, "--add-config", "max.message.bytes=minus-one")
    assert "InvalidConfigurationException" in refused.stdout + refused.stderr, refused.stdout + refused.stderr


def test_kafka_consumer_groups(schloss, kafka, account, topic, unique):
    name, group = topic(), unique("java-group")
    user = account(["--operation", "all", "--topic", name], ["--operation", "all", "--group", group])
    as_user = ["--bootstrap-server", schloss.bootstrap, "--command-config", user.properties]
    kafka("console-producer", *as_user, "--topic", name, stdin="one\ntwo\nthree\n")
    read = kafka(
        "console-consumer", *as_user, "--topic", name, "--group", group,
        "--from-beginning", "--max-messages", "2", "--timeout-ms", "15000",
    )
    assert lines(read) == ["one", "two"], read.stdout + read.stderr
    admin = ["--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties")]
    assert group in lines(kafka("consumer-groups", *admin, "--list"))
    described = kafka("consumer-groups", *admin, "--describe", "--group", group)
    row = next(line.split() for line in lines(described) if line.startswith(group))
    assert row[3:6] == ["2", "3", "1"], described.stdout
    reset = kafka(
        "consumer-groups", *admin, "--reset-offsets", "--to-earliest", "--topic", name, "--group", group, "--execute"
    )
    assert reset.returncode == 0, reset.stdout + reset.stderr
    described = kafka("consumer-groups", *admin, "--describe", "--group", group)
    assert next(line.split() for line in lines(described) if line.startswith(group))[3] == "0", described.stdout
    gone = kafka("consumer-groups", *admin, "--delete", "--group", group)
    assert "successful" in gone.stdout, gone.stdout + gone.stderr
    stranger = account()
    denied = kafka(
        "consumer-groups", "--bootstrap-server", schloss.bootstrap, "--command-config", stranger.properties,
        "--describe", "--group", group,
    )
    assert "GroupAuthorizationException" in denied.stdout + denied.stderr, denied.stdout + denied.stderr


def test_verifiable_producer_and_consumer(schloss, kafka, account, topic, unique):
    name, group, count = topic(partitions=3), unique("java-group"), 1000
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", group])
    made = kafka(
        "verifiable-producer",
        "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--topic", name, "--max-messages", str(count), "--acks", "-1",
    )
    events = [json.loads(line) for line in lines(made)]
    assert sum(event["name"] == "producer_send_success" for event in events) == count, made.stdout[-2000:] + made.stderr
    read = kafka(
        "verifiable-consumer",
        "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--topic", name, "--group-id", group, "--max-messages", str(count), "--reset-policy", "earliest",
    )
    events = [json.loads(line) for line in lines(read)]
    consumed = sum(event["count"] for event in events if event["name"] == "records_consumed")
    assert consumed == count, read.stdout[-2000:] + read.stderr


def test_broker_api_versions_lists_what_is_served(schloss, kafka):
    result = kafka(
        "broker-api-versions",
        "--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties"),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for api in ("Produce(0)", "Fetch(1)", "CreateAcls(30)", "AlterUserScramCredentials(51)"):
        assert api in result.stdout, result.stdout


def test_a_client_that_would_push_its_metrics_does_without(schloss, kafka, topic, account):
    """KIP-714: without a telemetry plugin there is nobody to push to, and clients take that as said."""
    name = topic()
    user = account(["--operation", "write", "--operation", "read", "--topic", name])
    common = ["--bootstrap-server", schloss.bootstrap, "--topic", name, "--command-property", "enable.metrics.push=true"]
    made = kafka("console-producer", *common, "--command-config", user.properties, stdin="told\n")
    assert made.returncode == 0 and not re.search("WARN|ERROR", made.stderr), made.stderr
    read = kafka(
        "console-consumer", *common, "--command-config", user.properties,
        "--partition", "0", "--offset", "earliest", "--max-messages", "1", "--timeout-ms", "20000",
    )
    assert lines(read) == ["told"] and not re.search("WARN|ERROR", read.stderr), read.stdout + read.stderr
    listed = kafka(
        "broker-api-versions",
        "--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client("admin", "properties"),
    )
    assert listed.returncode == 0, listed.stdout + listed.stderr
    for api in ("GetTelemetrySubscriptions(71)", "PushTelemetry(72)"):
        assert f"{api}: UNSUPPORTED" in listed.stdout, listed.stdout


def test_a_java_consumer_survives_a_restart_of_the_broker(fresh, kafka):
    server = fresh()
    consumer = subprocess.Popen(
        java_command(
            "console-consumer",
            "--bootstrap-server", server.bootstrap,
            "--command-config", server.client("orders-consumer", "properties"),
            "--topic", "orders", "--from-beginning",
        ),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    seen = []
    threading.Thread(target=lambda: seen.extend(iter(consumer.stdout.readline, "")), daemon=True).start()

    def await_value(value):
        end = time.monotonic() + 40
        while f"{value}\n" not in seen:
            assert time.monotonic() < end, seen
            time.sleep(0.1)

    try:
        producer = ["produce", "orders"]
        server.run(*producer, account="orders-producer", stdin="before\n")
        await_value("before")
        server.kill()
        server.start()
        server.run(*producer, account="orders-producer", stdin="after\n")
        await_value("after")
    finally:
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(30)
