"""A running Schloss: `quickstart` with its own log, or `gateway quickstart` before a cluster."""

import json
import pathlib
import re
import shutil
import subprocess
import threading
import time

from endpoint import Endpoint
from environment import BINARY
from gateway_config import with_other_ports

READY_SECONDS = 30


class Server(Endpoint):
    """A process with a data directory; `data_dir`, `host` and `port` say where it is."""

    config_name = None
    quickstart = None

    def __init__(self, data_dir, *arguments, port=0, environment=None):
        self.data_dir = pathlib.Path(data_dir)
        self.environment = environment
        self.arguments = arguments
        self.wanted_port = port
        self.output = []
        self.start()

    @property
    def config(self):
        return self.data_dir / self.config_name

    @property
    def bootstrap(self):
        return f"{self.host}:{self.port}"

    def command(self):
        command = [BINARY, *self.quickstart, "--data-dir", str(self.data_dir), *self.arguments]
        return command if self.config.exists() else [*command, "--port", str(self.wanted_port)]

    def start(self):
        self.process = subprocess.Popen(
            self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(self.process.stdout, ready), daemon=True).start()
        try:
            assert ready.wait(READY_SECONDS), "not ready:\n" + "".join(self.output)
            self.find_address("".join(self.output))
        except AssertionError:
            self.kill()
            raise

    def _read(self, stream, ready):
        for line in stream:
            self.output.append(line)
            if self.is_last_line_of_start(line):
                ready.set()
        ready.set()

    def is_last_line_of_start(self, line):
        return line.startswith("Serving until")

    def find_address(self, output):
        found = re.search(r"serving on (\S+):(\d+)", output)
        assert found, output
        self.host, self.port = found.group(1), int(found.group(2))

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

    def end_well(self):
        """Stops it; it has to have lived until now and to end as one that was asked to."""
        text = "".join(self.output)
        assert self.process.poll() is None, "it died:\n" + text
        assert self.stop() == 0, text
        assert "panicked" not in text, text


class Schloss(Server):
    """One running quickstart."""

    config_name = "schloss.toml"
    quickstart = ["quickstart"]


class Gateway(Server):
    """The same before a cluster, with its state in a topic of that cluster."""

    config_name = "gateway.toml"
    quickstart = ["gateway", "quickstart"]

    def __init__(self, data_dir, cluster, *arguments, account="gateway", state_topic=None, port=0):
        upstream = cluster.client(account, "properties")
        arguments = ["--upstream", first_address(upstream), "--upstream-config", upstream, *arguments]
        if state_topic:
            arguments += ["--state-topic", state_topic]
        super().__init__(data_dir, *arguments, port=port)

    @staticmethod
    def is_there():
        """Whether the binary has the command."""
        return subprocess.run([BINARY, "gateway", "--help"], capture_output=True).returncode == 0


class ConfiguredGateway(Server):
    """`schloss gateway --config FILE`, on the directory that a quickstart has made."""

    config_name = "gateway.toml"

    def __init__(self, data_dir, host, port):
        self.host, self.port = host, port
        super().__init__(data_dir)

    @classmethod
    def beside(cls, first, data_dir, change=lambda data_dir: None):
        """A second gateway on the state of `first`: its keys and its configuration, on ports of its own."""
        data_dir = pathlib.Path(data_dir)
        shutil.copytree(first.data_dir, data_dir, ignore=shutil.ignore_patterns("audit"))
        config = data_dir / cls.config_name
        text, shift = with_other_ports(config.read_text())
        config.write_text(text)
        for path in (data_dir / "clients").iterdir():
            text = path.read_text().replace(f"{first.host}:{first.port}", f"{first.host}:{first.port + shift}")
            path.write_text(text)
        change(data_dir)
        return cls(data_dir, first.host, first.port + shift)

    def command(self):
        return [BINARY, "gateway", "--config", str(self.config)]

    def is_last_line_of_start(self, line):
        return "serving" in line

    def find_address(self, output):
        assert "serving" in output, output


def first_address(client_file):
    lines = pathlib.Path(client_file).read_text().splitlines()
    servers = next(line for line in lines if line.startswith("bootstrap.servers="))
    return servers.partition("=")[2].split(",")[0]
