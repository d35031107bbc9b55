"""What a broker leaves on its disk, with stock clients before it: nothing to read, nothing to change unnoticed."""

import json
import pathlib
import subprocess

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from environment import BINARY

pytestmark = pytest.mark.serve_only("of its own log")
SECONDS = 30


def write(broker, topic, values):
    producer = Producer(broker.conf("admin"))
    for value in values:
        producer.produce(topic, value, key="key-" + value, partition=0, headers={"header": "head-" + value})
        producer.flush(SECONDS)


def read(broker, topic, offset, count):
    consumer = Consumer(broker.conf("admin", group_id="reader", enable_auto_commit=False))
    consumer.assign([TopicPartition(topic, 0, offset)])
    try:
        values = []
        while len(values) < count:
            message = consumer.poll(SECONDS)
            assert message is not None, values
            if message.error():
                raise KafkaException(message.error())
            values.append(message.value().decode())
        return values
    finally:
        consumer.close()


def commit(broker, topic, group, offset, note):
    consumer = Consumer(broker.conf("admin", group_id=group, enable_auto_commit=False))
    try:
        consumer.commit(offsets=[TopicPartition(topic, 0, offset, note)], asynchronous=False)
    finally:
        consumer.close()


def key(broker, *arguments):
    command = [BINARY, "key", *arguments, "--config", str(broker.config), "--output", "json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def told(broker, method):
    """The audit records of this method, as text."""
    return [text for text in map(json.dumps, broker.audit()) if method in text]


def segments(broker, topic):
    return sorted((broker.data_dir / "topics" / f"{topic}-0").glob("*.log"))


def test_the_whole_data_directory_gives_nothing_away(fresh):
    broker = fresh()
    broker.run("topic", "create", "letters")
    broker.run("user", "add", "melchior", "--password-stdin", stdin="quite a long password 7\n")
    broker.run("acl", "add", "--allow-principal", "User:caspar", "--operation", "read", "--topic", "letters")
    write(broker, "letters", ["gold", "incense", "myrrh", "balthasar"])
    commit(broker, "letters", "camel-drivers", 2, "note-of-the-drivers")
    secrets = [b"key-gold", b"head-incense", b"incense", b"balthasar", b"camel-drivers", b"note-of-the-drivers", b"melchior"]
    secrets += [b"caspar", b"stored_key", b"quite a long password"]
    broker.kill()
    looked_at = 0
    for path in pathlib.Path(broker.data_dir).rglob("*"):
        # The audit log is there to be read, and so are the files for clients.
        if path.is_dir() or {"audit", "clients"} & set(path.relative_to(broker.data_dir).parts):
            continue
        looked_at += 1
        content = path.read_bytes()
        assert [secret for secret in secrets if secret in content] == [], path
        if "pki" not in path.parts:
            assert path.stat().st_mode & 0o077 == 0, path
    assert looked_at > 10
    broker.start()
    assert read(broker, "letters", 0, 4) == ["gold", "incense", "myrrh", "balthasar"]


def test_a_flipped_byte_is_an_error_for_its_batch_an_audit_record_and_nothing_else(fresh):
    broker = fresh()
    broker.run("topic", "create", "letters")
    write(broker, "letters", ["one", "two", "three"])
    assert broker.stop() == 0
    [segment] = segments(broker, "letters")
    content = bytearray(segment.read_bytes())
    batch = (len(content) - 144) // 3
    content[144 + batch + batch // 2] ^= 0x20
    segment.write_bytes(content)
    broker.start()
    assert read(broker, "letters", 0, 1) == ["one"]
    with pytest.raises(KafkaException) as wrong:
        read(broker, "letters", 1, 1)
    # CORRUPT_MESSAGE, in librdkafka's words.
    assert "INVALID_MSG" in str(wrong.value) and "offset 1" in str(wrong.value), wrong.value
    refused = broker.run("consume", "letters", "--from-beginning", "--max-messages", "3", check=False)
    assert refused.returncode != 0 and "CORRUPT_MESSAGE" in refused.stderr, refused.stderr
    assert read(broker, "letters", 2, 1) == ["three"]
    broker.stop()
    [record] = told(broker, "schloss.StorageDamage")
    assert str(segment.name) in record, record


def test_keys_are_rotated_while_the_broker_runs_and_while_it_is_stopped(fresh):
    broker = fresh()
    broker.run("topic", "create", "letters")
    write(broker, "letters", ["one"])
    [old] = segments(broker, "letters")
    before = old.read_bytes()
    keys = {row["key"]: (row["generation"], row["wrapped_by"]) for row in key(broker, "list")}
    assert set(keys.values()) == {(1, "default:1"), (1, "what unlocks the keyring")}, keys
    assert key(broker, "rotate")["newest"] == "default:2"
    write(broker, "letters", ["two"])
    assert broker.stop() == 0
    assert key(broker, "rotate")["newest"] == "default:3"
    rows = [row for row in key(broker, "list") if not row["key"].startswith("keyring")]
    assert len(rows) >= 5 and {(row["generation"], row["wrapped_by"]) for row in rows} == {(3, "default:3")}, rows
    broker.start()
    write(broker, "letters", ["three"])
    assert read(broker, "letters", 0, 3) == ["one", "two", "three"]
    assert old.read_bytes().startswith(before), "nothing was written anew"
    # A wrapped key begins with the generation that wrapped it, in the header of its segment.
    assert [segment.read_bytes()[64:68] for segment in segments(broker, "letters")] == [b"\0\0\0\1", b"\0\0\0\3"]
    assert len(told(broker, "schloss.RotateKeys")) == 2


def test_what_is_missing_or_open_to_others_refuses_the_start_with_what_to_do(fresh):
    broker = fresh()
    broker.run("topic", "create", "letters")
    assert broker.stop() == 0

    def serve():
        command = [BINARY, "serve", "--config", str(broker.config)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        assert result.returncode != 0
        return result.stdout + result.stderr

    keyring = broker.data_dir / "keys" / "keyring"
    keyring.rename(keyring.with_name("aside"))
    assert "restore the keyring" in serve()
    keyring.with_name("aside").rename(keyring)
    [segment] = segments(broker, "letters")
    segment.chmod(0o640)
    assert f"run chmod 600 {segment}" in serve()
    segment.chmod(0o600)
    journal = broker.data_dir / "metadata" / "journal"
    journal.write_bytes(b"SCHLJNL1" + journal.read_bytes()[8:])
    assert "did not seal" in serve() and "docs/encryption.md" in serve()
