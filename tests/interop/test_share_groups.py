"""Share groups (KIP-932) with the stock consumer and the stock tools."""

import re
import threading
import time

import pytest
from accounts import make_account

SECONDS = 60


@pytest.fixture
def tool(schloss, kafka):
    """Runs a tool as the administrator; it has to succeed."""

    def run(name, *arguments, account="admin"):
        result = kafka(
            name, "--bootstrap-server", schloss.bootstrap, "--command-config", schloss.client(account, "properties"),
            *arguments,
        )
        assert result.returncode == 0 and "Exception" not in result.stdout + result.stderr, result.stdout + result.stderr
        return result.stdout

    return run


def set_group(tool, group, **settings):
    changes = ",".join(f"share.{name.replace('_', '.')}={value}" for name, value in settings.items())
    tool("configs", "--alter", "--entity-type", "groups", "--entity-name", group, "--add-config", changes)


def consume(tool, account, topic, group, count):
    """The next records, each accepted."""
    output = tool(
        "console-share-consumer", "--topic", topic, "--group", group, "--max-messages", str(count),
        "--timeout-ms", "30000", account=account,
    )
    return [line for line in output.splitlines() if line.startswith("work-")]


def produce(schloss, topic, first, count):
    schloss.run("produce", topic, stdin="".join(f"work-{number}\n" for number in range(first, first + count)))


def offsets(tool, group, topic):
    """Start offset and lag."""
    shown = tool("share-groups", "--describe", "--group", group)
    found = re.search(rf"^{group}\s+{topic}\s+0\s+(\S+)\s+(\S+)", shown, re.M)
    assert found, shown
    return found.groups()


def test_the_stock_tools_consume_see_and_change_such_groups(tool, account, schloss, kafka, topic, unique):
    name, group = topic(), unique("share-group")
    user = account(["--operation", "read", "--topic", name], ["--operation", "read", "--group", group])
    set_group(tool, group, auto_offset_reset="earliest", isolation_level="read_committed")
    shown = tool("configs", "--describe", "--entity-type", "groups", "--entity-name", group)
    assert "share.auto.offset.reset=earliest" in shown and "share.isolation.level=read_committed" in shown, shown

    produce(schloss, name, 0, 10)
    first = consume(tool, user.name, name, group, 4)
    assert first == [f"work-{number}" for number in range(4)]
    second = consume(tool, user.name, name, group, 6)
    assert sorted(second) == [f"work-{number}" for number in range(4, 10)]
    produce(schloss, name, 10, 3)

    listed = tool("groups", "--list", "--share")
    assert re.search(rf"^{group}\s+Share\s+share\s*$", listed, re.M), listed
    assert group in tool("share-groups", "--list", "--state", "empty")
    assert group not in tool("consumer-groups", "--list")
    state = tool("share-groups", "--describe", "--group", group, "--state")
    assert "Empty" in state, state
    # Where the group begins is told late by Apache Kafka; how much is left is not.
    assert offsets(tool, group, name)[1] == "3"
    refused = kafka(
        "share-groups", "--bootstrap-server", schloss.bootstrap, "--command-config", user.properties,
        "--delete", "--group", group,
    )
    assert "GroupAuthorizationException" in refused.stdout + refused.stderr, refused.stdout + refused.stderr
    tool("share-groups", "--reset-offsets", "--group", group, "--topic", name, "--to-earliest", "--execute")
    assert offsets(tool, group, name) == ("0", "13")
    assert len(consume(tool, user.name, name, group, 13)) == 13
    tool("share-groups", "--delete-offsets", "--group", group, "--topic", name)
    tool("share-groups", "--delete", "--group", group)
    assert group not in tool("groups", "--list")


@pytest.mark.serve_only("kills the broker itself")
def test_what_was_acknowledged_never_comes_again_though_the_broker_is_killed(fresh, kafka, program, tmp_path):
    server = fresh()
    server.run("topic", "create", "work", "--partitions", "1")
    user = make_account(
        server, "worker", ["--operation", "all", "--topic", "work"], ["--operation", "read", "--group", "workers"]
    )
    altered = kafka(
        "configs", "--bootstrap-server", server.bootstrap, "--command-config", server.client("admin", "properties"),
        "--alter", "--entity-type", "groups", "--entity-name", "workers", "--add-config", "share.auto.offset.reset=earliest",
    )
    assert altered.returncode == 0, altered.stdout + altered.stderr
    signal, results = tmp_path / "commits", []
    arguments = ["ShareThroughRestarts", user.properties, "work", "workers", signal]
    worker = threading.Thread(target=lambda: results.append(program(*arguments)))
    worker.start()
    for commits in (5, 20, 40):
        end = time.monotonic() + SECONDS
        while not (signal.exists() and signal.stat().st_size >= commits) and worker.is_alive():
            assert time.monotonic() < end, "no commit"
            time.sleep(0.01)
        server.kill()
        server.start()
    worker.join()
    result = results[0]
    assert result.returncode == 0 and result.stdout.splitlines()[-1] == "ok", result.stdout + result.stderr
    seen = dict(line.split(" ", 1) for line in result.stdout.splitlines()[:-1])
    assert seen["seen"] == "1500" and int(seen["deliveries"]) >= 1500, seen
