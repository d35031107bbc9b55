"""Real clients against a real Schloss and a real Apache Kafka: on free ports, stopped by who started them.

`SCHLOSS_ENGINE` says what the fixture `schloss` is: `serve`, a quickstart with its own log, or `gateway`, one before the
fixture `cluster`. Tests that make sense with one of them alone are marked `serve_only` or `gateway_only` with the reason.
"""

import inspect
import shutil
import subprocess

import pytest
from accounts import make_account
from engines import ConfiguredGateway, Gateway, Schloss
from environment import ENGINE, KAFKA_LIBS
from java import compile_programs, java_command
from kafka_cluster import KafkaCluster


def pytest_configure(config):
    assert ENGINE in ("serve", "gateway"), f"SCHLOSS_ENGINE={ENGINE}: must be serve or gateway"
    for engine in ("serve", "gateway"):
        config.addinivalue_line("markers", f"{engine}_only(reason): runs with SCHLOSS_ENGINE={engine} alone")


def source(item):
    return inspect.getsource(item.function)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # A broker that was killed may take a while to be itself again: who kills one comes last.
    items.sort(key=lambda item: "cluster.kill" in source(item))
    other = "serve" if ENGINE == "gateway" else "gateway"
    for item in items:
        for mark in item.iter_markers(f"{other}_only"):
            item.add_marker(pytest.mark.skip(reason=f"{other} only: {mark.args[0]}"))


@pytest.fixture(scope="session")
def java():
    """Skips where the tools of Apache Kafka are missing."""
    if not KAFKA_LIBS:
        pytest.skip("KAFKA_LIBS is not set: run by 'cargo xtask test'")
    if not shutil.which("javac"):
        pytest.skip("no Java compiler on this machine")


@pytest.fixture(scope="session")
def cluster(java, tmp_path_factory):
    """Three nodes of Apache Kafka, one cluster for the session."""
    kafka = KafkaCluster(tmp_path_factory.mktemp("cluster") / "kafka")
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture(scope="session")
def start_gateway(cluster):
    """Starts gateways before the cluster; skips while the binary has none."""
    if not Gateway.is_there():
        pytest.skip("this binary has no 'schloss gateway'")

    def start(data_dir, *arguments, **more):
        return Gateway(data_dir, cluster, *arguments, **more)

    return start


@pytest.fixture(scope="session", params=["cluster", "schloss"] if ENGINE == "gateway" else ["schloss"])
def place(request):
    """The engine under test, and the cluster behind a gateway: what holds for one has to hold for the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def schloss(request, tmp_path_factory):
    """A broker that most tests share; each uses topics, groups and users of its own."""
    data_dir = tmp_path_factory.mktemp("quickstart") / "data"
    if ENGINE == "gateway":
        server = request.getfixturevalue("start_gateway")(data_dir)
    else:
        server = Schloss(data_dir)
    yield server
    server.end_well()


@pytest.fixture
def fresh(request, tmp_path, unique):
    """A broker of the test's own, for what disturbs others."""
    servers = []

    def make(*arguments, name="data"):
        if ENGINE == "gateway":
            start = request.getfixturevalue("start_gateway")
            # Quickstart makes its topic again: the records of other tests are not this one's.
            request.getfixturevalue("cluster").forget("orders", "orders-app")
            servers.append(start(tmp_path / name, *arguments, state_topic=unique("__schloss_fresh")))
        else:
            servers.append(Schloss(tmp_path / name, *arguments))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def gateway(start_gateway, tmp_path, unique):
    """Makes gateways of the test's own: with a state of its own, or beside another one on the same state."""
    servers = []

    def make(*arguments, beside=None, change=lambda data_dir: None, **more):
        directory = tmp_path / f"gateway-{len(servers)}"
        if beside:
            servers.append(ConfiguredGateway.beside(beside, directory, change))
        else:
            more.setdefault("state_topic", unique("__schloss_state"))
            servers.append(start_gateway(directory, *arguments, **more))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


_counter = iter(range(1, 1_000_000))


@pytest.fixture(scope="session")
def unique():
    """A name that no other test has."""
    return lambda prefix: f"{prefix}-{next(_counter)}"


@pytest.fixture
def account(schloss, unique):
    """Makes a user with ACLs and returns its librdkafka settings and client file."""
    return lambda *acls, prefix="user": make_account(schloss, unique(prefix), *acls)


@pytest.fixture
def topic(schloss, unique):
    """Makes a topic of the test's own."""

    def make(prefix="topic", partitions=1):
        name = unique(prefix)
        schloss.run("topic", "create", name, "--partitions", str(partitions))
        return name

    return make


@pytest.fixture
def kafka(java):
    """Runs a stock `kafka-*` tool of Apache Kafka."""

    def run(tool, *arguments, stdin=None, timeout=90):
        return subprocess.run(
            java_command(tool, *arguments), input=stdin, capture_output=True, text=True, timeout=timeout
        )

    return run


@pytest.fixture
def kcat():
    """Runs kcat with a client file."""
    if not shutil.which("kcat"):
        pytest.skip("no kcat on this machine (Debian package kcat)")

    def run(conf, *arguments, stdin=None):
        command = ["kcat", "-F", conf, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture(scope="session")
def program(java, tmp_path_factory):
    """Runs a Java program of ours."""
    classes = tmp_path_factory.mktemp("classes")
    compile_programs(classes)

    def run(name, *arguments, timeout=120):
        return subprocess.run(
            java_command(name, *arguments, classes=classes), capture_output=True, text=True, timeout=timeout
        )

    return run
