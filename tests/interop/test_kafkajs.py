"""kafkajs: a client with its own protocol code, in older versions than the others."""

import json
import pathlib
import shutil
import subprocess

import pytest
from environment import NODE_PATH

SCRIPT = pathlib.Path(__file__).with_name("kafkajs_client.js")


@pytest.fixture
def kafkajs(schloss):
    if not NODE_PATH or not shutil.which("node"):
        pytest.skip("NODE_PATH is not set or there is no node: run by 'cargo xtask test'")

    def run(user, topic, group, count):
        settings = json.loads(pathlib.Path(schloss.client("admin", "json")).read_text())
        settings.update(user=user.name, password=user.password)
        path = pathlib.Path(schloss.client(user.name, "json"))
        path.touch(mode=0o600)
        path.write_text(json.dumps(settings))
        result = subprocess.run(
            ["node", str(SCRIPT), str(path), topic, group, str(count)], capture_output=True, text=True, timeout=90
        )
        return json.loads(result.stdout), result

    return run


def test_produce_and_consume_through_a_group(account, topic, unique, kafkajs):
    name, group = topic(), unique("js-group")
    user = account(["--operation", "all", "--topic", name], ["--operation", "read", "--group", group])
    answer, result = kafkajs(user, name, group, 200)
    assert answer.get("seen") == [f"kafkajs-{index}" for index in range(200)], (answer, result.stderr)


def test_denied_writing_is_topic_authorization_failed(account, topic, unique, kafkajs):
    name, group = topic(), unique("js-group")
    user = account(["--operation", "describe", "--topic", name])
    answer, _ = kafkajs(user, name, group, 1)
    assert "TOPIC_AUTHORIZATION_FAILED" in answer["error"] + answer["message"].upper().replace(" ", "_") or (
        "not authorized" in answer["message"].lower()
    ), answer


def test_a_denied_group_ends_in_an_error_and_an_audit_record(schloss, account, topic, unique, kafkajs):
    """kafkajs shows its own words for every refusal of a coordinator; the audit record names the group."""
    name, group = topic(), unique("js-group")
    user = account(["--operation", "all", "--topic", name])
    answer, _ = kafkajs(user, name, group, 1)
    assert answer["error"] in ("KafkaJSGroupCoordinatorNotFound", "GROUP_AUTHORIZATION_FAILED"), answer
    denied = schloss.await_audit("--principal", user.name, "--decision", "denied", "--resource", group)
    assert denied[-1]["data"]["result"]["status"] == "GROUP_AUTHORIZATION_FAILED"
