"""Java: the tools of Apache Kafka and programs of our own, compiled when a test first needs them."""

import pathlib
import subprocess

from environment import KAFKA_LIBS

SOURCES = pathlib.Path(__file__).with_name("java")
# Made by java_archive.py; Java does without if it is missing or of another version.
ARCHIVE = pathlib.Path(KAFKA_LIBS or ".") / "classes.jsa"

MAIN_CLASSES = {
    "acls": "org.apache.kafka.tools.AclCommand",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-share-consumer": "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "server": "kafka.Kafka",
    "share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "storage": "kafka.tools.StorageTool",
    "streams-groups": "org.apache.kafka.tools.streams.StreamsGroupCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}


def java_command(tool, *arguments, classes=None, heap="256m", options=()):
    """The command of a `kafka-*` tool, or of a program of ours that `compile_programs` put into `classes`."""
    class_path = [f"{KAFKA_LIBS}/*"] + ([str(classes)] if classes else [])
    return [
        "java",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        *([f"-XX:SharedArchiveFile={ARCHIVE}"] if ARCHIVE.exists() else []),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        *options,
        "-cp",
        ":".join(class_path),
        MAIN_CLASSES.get(tool, tool),
        *map(str, arguments),
    ]


def compile_programs(directory):
    """Compiles every program of `java/` into `directory`."""
    command = ["javac", "-nowarn", "-d", str(directory), "-cp", f"{KAFKA_LIBS}/*", *map(str, sorted(SOURCES.glob("*.java")))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
