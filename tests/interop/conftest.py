"""Real clients against a real `schloss quickstart`: servers on free ports, stopped by who started them."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

BINARY = os.environ.get("SCHLOSS_BINARY", "target/release/schloss")
KAFKA_LIBS = os.environ.get("KAFKA_LIBS")
NODE_PATH = os.environ.get("NODE_PATH")
READY_SECONDS = 30


def read_conf(path):
    """A librdkafka file as the dict that confluent-kafka takes."""
    lines = pathlib.Path(path).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class Schloss:
    """One running quickstart."""

    def __init__(self, data_dir, *arguments, port=0):
        self.data_dir = pathlib.Path(data_dir)
        self.arguments = arguments
        self.wanted_port = port
        self.output = []
        self.start()

    def start(self):
        command = [BINARY, "quickstart", "--data-dir", str(self.data_dir), *self.arguments]
        if not (self.data_dir / "schloss.toml").exists():
            command += ["--port", str(self.wanted_port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        ready = threading.Event()
        threading.Thread(target=self._read, args=(self.process.stdout, ready), daemon=True).start()
        if not ready.wait(READY_SECONDS):
            self.kill()
            raise AssertionError("not ready:\n" + "".join(self.output))
        found = re.search(r"serving on (\S+):(\d+)", "".join(self.output))
        assert found, "".join(self.output)
        self.host, self.port = found.group(1), int(found.group(2))

    def _read(self, stream, ready):
        for line in stream:
            self.output.append(line)
            if line.startswith("Serving until"):
                ready.set()
        ready.set()

    @property
    def bootstrap(self):
        return f"{self.host}:{self.port}"

    def client(self, account, ending):
        return str(self.data_dir / "clients" / f"{account}.{ending}")

    def conf(self, account, **more):
        return {**read_conf(self.client(account, "conf")), **{k.replace("_", "."): v for k, v in more.items()}}

    def run(self, *arguments, account="admin", stdin=None, check=True):
        """Our own command line."""
        command = [BINARY, *arguments]
        if account:
            command += ["--client", self.client(account, "properties")]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def audit(self, *arguments):
        """Matching audit records, each a dict, oldest first."""
        result = self.run("audit", "query", "--data-dir", str(self.data_dir), "--output", "json", *arguments, account=None)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def await_audit(self, *arguments, count=1, seconds=10):
        """The same, once there are `count`; summed records come when their session ends."""
        end = time.monotonic() + seconds
        while True:
            records = self.audit(*arguments)
            if len(records) >= count:
                return records
            assert time.monotonic() < end, f"{len(records)} of {count} audit records for {arguments}"
            time.sleep(0.05)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def schloss(tmp_path_factory):
    """A broker that most tests share; each uses topics, groups and users of its own."""
    server = Schloss(tmp_path_factory.mktemp("quickstart") / "data")
    yield server
    assert server.process.poll() is None, "the broker died:\n" + "".join(server.output)
    assert server.stop() == 0, "".join(server.output)
    text = "".join(server.output)
    assert "panicked" not in text, text


@pytest.fixture
def fresh(tmp_path):
    """A broker of the test's own, for what disturbs others."""
    servers = []

    def make(*arguments, name="data"):
        servers.append(Schloss(tmp_path / name, *arguments))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


_counter = iter(range(1, 1_000_000))


@pytest.fixture
def unique():
    """A name that no other test has."""
    return lambda prefix: f"{prefix}-{next(_counter)}"


@pytest.fixture
def account(schloss, unique):
    """Makes a user with ACLs and returns its librdkafka settings and client file."""

    def make(*acls, prefix="user"):
        name = unique(prefix)
        password = f"pw-{name}-0123456789abcdef"
        schloss.run("user", "add", name, "--password-stdin", stdin=password)
        for acl in acls:
            schloss.run("acl", "add", "--allow-principal", f"User:{name}", *acl)
        return Account(schloss, name, password)

    return make


class Account:
    def __init__(self, server, name, password):
        self.name, self.password, self.server = name, password, server
        for ending in ("conf", "properties"):
            text = pathlib.Path(server.client("admin", ending)).read_text()
            text = re.sub(r"username=admin\b", f"username={name}", text)
            text = re.sub(r"sasl\.password=.*", f"sasl.password={password}", text)
            text = re.sub(r'username="[^"]*" password="[^"]*"', f'username="{name}" password="{password}"', text)
            path = pathlib.Path(server.client(name, ending))
            path.touch(mode=0o600)
            path.write_text(text)

    def conf(self, **more):
        return self.server.conf(self.name, **more)

    @property
    def properties(self):
        return self.server.client(self.name, "properties")


@pytest.fixture
def topic(schloss, unique):
    """Makes a topic of the test's own."""

    def make(prefix="topic", partitions=1):
        name = unique(prefix)
        schloss.run("topic", "create", name, "--partitions", str(partitions))
        return name

    return make


MAIN_CLASSES = {
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "acls": "org.apache.kafka.tools.AclCommand",
    "configs": "kafka.admin.ConfigCommand",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}


def java_command(tool, *arguments):
    return [
        "java",
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{KAFKA_LIBS}/*",
        MAIN_CLASSES[tool],
        *arguments,
    ]


@pytest.fixture
def kafka():
    """Runs a stock `kafka-*` tool of Apache Kafka."""
    if not KAFKA_LIBS:
        pytest.skip("KAFKA_LIBS is not set: run by 'cargo xtask test'")
    if not shutil.which("java"):
        pytest.skip("no Java on this machine")

    def run(tool, *arguments, stdin=None, timeout=90):
        return subprocess.run(
            java_command(tool, *arguments), input=stdin, capture_output=True, text=True, timeout=timeout
        )

    return run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
