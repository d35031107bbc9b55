"""Archives the classes that the tools of Apache Kafka load (JEP 310): with it each of them starts on two thirds of the CPU.

`SCHLOSS_BINARY=... KAFKA_LIBS=... python java_archive.py` lets some tools run against a broker of ours, and writes the
archive where `java.py` finds it.
"""

import pathlib
import subprocess
import tempfile

from engines import Schloss
from java import ARCHIVE, java_command

# Between them they load what all of them have in common: configuration, TLS, SCRAM, producer, consumer, administrator.
TOOLS = (
    ("topics", "admin", "--list"),
    ("configs", "admin", "--describe", "--entity-type", "topics", "--entity-name", "orders"),
    ("console-producer", "orders-producer", "--topic", "orders"),
    ("console-consumer", "orders-consumer", "--topic", "orders", "--group", "orders-app", "--from-beginning", "--max-messages", "1"),
)


def run(command, **more):
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def main():
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        broker = Schloss(directory / "data")
        try:
            broker.run("produce", "orders", account="orders-producer", stdin="first\n")
            for number, (tool, account, *arguments) in enumerate(TOOLS):
                address = ["--bootstrap-server", broker.bootstrap, "--command-config", broker.client(account, "properties")]
                options = [f"-XX:DumpLoadedClassList={directory / f'{number}.list'}"]
                run(java_command(tool, *address, *arguments, options=options), input="one more\n")
        finally:
            broker.stop()
        lists = [path.read_text().splitlines() for path in sorted(directory.glob("*.list"))]
        classes = directory / "classes"
        classes.write_text("\n".join(dict.fromkeys(line for lines in lists for line in lines)) + "\n")
        made = directory / "archive"
        run(java_command("topics", options=["-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={made}"]))
        # In one step: another run may be looking for it.
        beside = ARCHIVE.with_suffix(".new")
        beside.write_bytes(made.read_bytes())
        beside.rename(ARCHIVE)


if __name__ == "__main__":
    main()
