"""Our own command line, as a person and as a script would use it."""

import json
import os
import pathlib
import socket
import stat
import subprocess

import pytest
from confluent_kafka import Producer
from environment import BINARY, free_port


own_log = pytest.mark.serve_only("of the quickstart with its own log; the gateway has its own in test_gateway_start.py")


def schloss_run(*arguments, stdin=None, **more):
    return subprocess.run([BINARY, *arguments], input=stdin, capture_output=True, text=True, timeout=60, **more)


@own_log
def test_quickstart_proves_itself_and_exits_with_once(tmp_path):
    data = tmp_path / "data"
    result = schloss_run("quickstart", "--data-dir", str(data), "--port", "0", "--once")
    assert result.returncode == 0, result.stdout + result.stderr
    # The lines to copy work where the binary is not on the PATH.
    assert f"    {pathlib.Path(BINARY).resolve()} user add alice" in result.stdout, result.stdout
    assert result.stdout.count("  proved  ") == 5 and result.stdout.count("audit: ") == 5, result.stdout
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in [*data.rglob("*.key"), *(data / "clients").iterdir(), data / "schloss.toml", *(data / "audit").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    before = {path: path.read_bytes() for path in [*(data / "clients").iterdir(), *(data / "pki").iterdir()]}
    again = schloss_run("quickstart", "--data-dir", str(data), "--once")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "reused from" in again.stdout
    assert {path: path.read_bytes() for path in before} == before


@own_log
def test_quickstart_is_ready_within_a_second(tmp_path):
    times = []
    for number in range(3):
        result = schloss_run("quickstart", "--data-dir", str(tmp_path / str(number)), "--port", "0", "--once")
        assert result.returncode == 0, result.stdout + result.stderr
        line = next(line for line in result.stdout.splitlines() if "ready after" in line)
        times.append(int(line.split()[-2]))
    assert sorted(times)[1] < 1000, times


@own_log
def test_quickstart_refuses_a_directory_of_something_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    tmp_path.chmod(0o700)
    result = schloss_run("quickstart", "--data-dir", str(tmp_path), "--port", "0", "--once")
    assert result.returncode == 1
    assert "is not a data directory of Schloss: it holds 'thesis.tex'" in result.stderr, result.stderr
    assert os.listdir(tmp_path) == ["thesis.tex"]


@own_log
def test_quickstart_says_so_when_the_port_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = schloss_run("quickstart", "--data-dir", str(tmp_path / "data"), "--port", port, "--once")
    assert result.returncode == 1
    assert f"can't listen on 127.0.0.1:{port}" in result.stderr and "--port" in result.stderr, result.stderr


@own_log
def test_a_configuration_is_checked_without_starting(schloss, tmp_path):
    config = schloss.data_dir / "schloss.toml"
    good = schloss_run("config", "check", "--config", str(config))
    assert good.returncode == 0 and "good" in good.stdout, good.stderr
    bad = schloss.data_dir / "bad.toml"
    bad.write_text(config.read_text().replace("max_connections =", "max_conections ="))
    result = schloss_run("config", "check", "--config", str(bad))
    bad.unlink()
    assert result.returncode == 2
    assert "bad.toml:17: limits.max_conections: unknown key 'max_conections'; did you mean 'max_connections'?" in result.stderr


def test_topics_users_and_acls_for_people_and_programs(schloss, unique):
    name, user = unique("cli"), unique("cli-user")
    schloss.run("topic", "create", name, "--partitions", "2", "--config", "max.message.bytes=100000")
    listed = json.loads(schloss.run("topic", "list", "--output", "json").stdout)
    assert next(topic for topic in listed if topic["name"] == name)["partitions"] == 2
    described = json.loads(schloss.run("topic", "describe", name, "--output", "json").stdout)
    assert "max.message.bytes" in json.dumps(described)
    made = json.loads(schloss.run("user", "add", user, "--output", "json").stdout)
    assert len(made["password"]) >= 22
    assert user in schloss.run("user", "list").stdout
    schloss.run(
        "acl", "add", "--allow-principal", f"User:{user}", "--operation", "read", "--topic", name,
        "--pattern", "prefixed", "--host", "10.0.0.0/8",
    )
    acls = json.loads(schloss.run("acl", "list", "--principal", f"User:{user}", "--output", "json").stdout)
    assert [(acl["pattern_type"].lower(), acl["host"], acl["operation"].lower()) for acl in acls] == [
        ("prefixed", "10.0.0.0/8", "read")
    ]
    schloss.run("acl", "remove", "--principal", f"User:{user}", "--yes")
    assert json.loads(schloss.run("acl", "list", "--principal", f"User:{user}", "--output", "json").stdout) == []
    schloss.run("user", "remove", user, "--yes")
    assert user not in schloss.run("user", "list").stdout
    schloss.run("topic", "delete", name, "--yes")
    assert name not in schloss.run("topic", "list").stdout


def test_produce_and_consume_with_keys(schloss, topic):
    name = topic()
    schloss.run("produce", name, "--key-separator", ":", stdin="a:1\nb:2\nc:3\n")
    read = schloss.run("consume", name, "--from-beginning", "--max-messages", "3", "--output", "json")
    records = [json.loads(line) for line in read.stdout.splitlines()]
    assert sorted((record["key"], record["value"]) for record in records) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_consume_through_a_group_goes_on_where_it_stopped(schloss, topic, unique):
    name, group = topic(), unique("cli-group")
    schloss.run("produce", name, stdin="1\n2\n3\n4\n")
    read = ["consume", name, "--group", group, "--from-beginning", "--max-messages", "2"]
    assert schloss.run(*read).stdout.split() == ["1", "2"]
    assert schloss.run(*read).stdout.split() == ["3", "4"]


def test_exit_codes_tell_what_went_wrong(schloss, account, topic, tmp_path):
    name, user = topic(), account()
    denied = schloss.run("produce", name, account=user.name, stdin="x\n", check=False)
    assert denied.returncode == 5 and name in denied.stderr, denied.stderr
    wrong = pathlib.Path(tmp_path / "wrong.conf")
    wrong.touch(mode=0o600)
    wrong.write_text(
        "".join(f"{key}={value}\n" for key, value in {**schloss.conf("admin"), "sasl.password": "wrong"}.items())
    )
    failed = schloss_run("topic", "list", "--client", str(wrong))
    assert failed.returncode == 4 and "wrong" not in failed.stderr.replace(str(wrong), ""), failed.stderr
    wrong.write_text(
        "".join(f"{k}={v}\n" for k, v in {**schloss.conf("admin"), "bootstrap.servers": f"localhost:{free_port()}"}.items())
    )
    nobody = schloss_run("topic", "list", "--client", str(wrong))
    assert nobody.returncode == 3 and "refused" in nobody.stderr, nobody.stderr
    assert schloss_run("topic", "lst").returncode == 2
    assert schloss_run("topic", "list", "--client", str(tmp_path / "nowhere.conf")).returncode == 2
    as_json = schloss.run("produce", name, "--output", "json", account=user.name, stdin="x\n", check=False)
    assert json.loads(as_json.stderr.splitlines()[-1])["exit_code"] == 5


def test_a_client_file_that_others_can_read_is_refused(schloss, tmp_path):
    open_file = tmp_path / "open.conf"
    open_file.write_text(pathlib.Path(schloss.client("admin", "conf")).read_text())
    open_file.chmod(0o644)
    result = schloss_run("topic", "list", "--client", str(open_file))
    assert result.returncode == 2 and "chmod 600" in result.stderr, result.stderr


def test_audit_query_filters_and_tail_follows(schloss, account, topic):
    name, user = topic(), account()
    tail = subprocess.Popen(
        [BINARY, "audit", "tail", "--data-dir", str(schloss.data_dir), "--last", "0", "--principal", user.name],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        schloss.run("produce", name, account=user.name, stdin="x\n", check=False)
        lines = []
        for line in tail.stdout:
            lines.append(line)
            if "DENIED" in line:
                break
        assert f"User:{user.name}" in lines[-1] and name in lines[-1], lines
    finally:
        tail.terminate()
        tail.wait(10)
    found = schloss.audit("--principal", user.name, "--decision", "denied", "--resource", name, "--since", "5m")
    assert found and all(record["specversion"] == "1.0" for record in found)
    assert schloss.audit("--principal", user.name, "--until", "2020-01-01T00:00:00Z") == []


def test_allowed_traffic_is_summed(schloss, account, topic):
    name = topic()
    user = account(["--operation", "write", "--topic", name])
    schloss.run("produce", name, account=user.name, stdin="".join(f"{number}\n" for number in range(100)))
    record = schloss.await_audit("--principal", user.name, "--kind", "traffic", "--operation", "write")[-1]
    traffic = record["data"]["traffic"]
    assert traffic["records"] == 100 and traffic["bytes"] > 100, record


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_consume_reads_what_librdkafka_compresses(schloss, topic, codec):
    name, values = topic(), [f"the same words again, {number}" for number in range(100)]
    producer = Producer({**schloss.conf("admin"), "compression.type": codec, "linger.ms": 50})
    for value in values:
        producer.produce(name, value)
    assert producer.flush(30) == 0
    read = schloss.run("consume", name, "--from-beginning", "--max-messages", "100", "--output", "json")
    assert [json.loads(line)["value"] for line in read.stdout.splitlines()] == values


@pytest.mark.parametrize(
    "command",
    [[], ["quickstart"], ["serve"], ["config"], ["config", "check"], ["topic"], ["topic", "create"], ["topic", "list"],
     ["topic", "describe"], ["topic", "delete"], ["user"], ["user", "add"], ["user", "list"], ["user", "remove"], ["acl"],
     ["acl", "add"], ["acl", "list"], ["acl", "remove"], ["quota"], ["quota", "list"],
     ["quota", "set"], ["quota", "remove"], ["key"], ["key", "list"],
     ["key", "rotate"], ["produce"], ["consume"], ["audit"], ["audit", "query"], ["audit", "tail"]],
)
def test_help_is_there_for_every_command(command):
    result = schloss_run(*command, "--help")
    assert result.returncode == 0 and "Usage:" in result.stdout
    if command in ([], ["config"], ["topic"], ["user"], ["acl"], ["quota"], ["key"], ["audit"]):
        assert "Commands:" in result.stdout
    else:
        assert "Example" in result.stdout, "a command's help shows an example"
