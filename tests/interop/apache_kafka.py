"""A real Apache Kafka, one KRaft node, locked as well as Kafka can be: the peer to compare with."""

import pathlib
import subprocess
import time

from conftest import KAFKA_LIBS, free_port

ADMIN_PASSWORD = "admin-secret-of-kafka"
START_SECONDS = 90


class ApacheKafka:
    def __init__(self, directory, pki):
        """Starts it in `directory`, with the server certificate and CA that lie in `pki`."""
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port, controller = free_port(), free_port()
        keystore = self.directory / "server.pem"
        keystore.write_text((pki / "server.key").read_text() + (pki / "server.pem").read_text())
        keystore.chmod(0o600)
        self.ca = pki / "ca.pem"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"CLIENTS://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENTS://localhost:{self.port}",
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENTS",
            "controller.listener.names": "CONTROLLER",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.clients.scram-sha-512.sasl.jaas.config": self._jaas(),
            "listener.name.clients.scram-sha-256.sasl.jaas.config": self._jaas(),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.ca,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The controller listener is loopback and anonymous here; brokers and tools speak SASL.
            "super.users": "User:admin;User:ANONYMOUS",
            "log.dirs": self.directory / "logs",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        config = self.directory / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self._java(
            "kafka.tools.StorageTool", "format", "--config", config, "--cluster-id", "4L6g3nShT-eMCtK--X86sw",
            "--add-scram", f"SCRAM-SHA-512=[name=admin,password={ADMIN_PASSWORD}]",
        )
        self.log = open(self.directory / "server.log", "w")
        self.process = subprocess.Popen(
            self._command("kafka.Kafka", config), stdout=self.log, stderr=subprocess.STDOUT
        )
        self._await_ready()

    @staticmethod
    def _jaas():
        return (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="admin" password="{ADMIN_PASSWORD}";'
        )

    @staticmethod
    def _command(main_class, *arguments):
        # The SASL listener's own port is the only one that a test opens; a small heap is enough for it.
        return [
            "java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{KAFKA_LIBS}/*",
            main_class, *map(str, arguments),
        ]

    def _java(self, main_class, *arguments):
        subprocess.run(self._command(main_class, *arguments), check=True, capture_output=True, text=True, timeout=90)

    def _await_ready(self):
        from confluent_kafka.admin import AdminClient

        end = time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, (self.directory / "server.log").read_text()[-3000:]
            try:
                AdminClient({**self.conf(), "log_level": 0}).list_topics(timeout=2)
                return
            except Exception:  # noqa: BLE001: every failure means that it is not ready yet
                assert time.monotonic() < end, (self.directory / "server.log").read_text()[-3000:]

    def conf(self, user="admin", password=ADMIN_PASSWORD):
        return {
            "bootstrap.servers": f"localhost:{self.port}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password,
            "ssl.ca.location": str(self.ca),
        }

    def client_file(self, user="admin", password=ADMIN_PASSWORD):
        path = self.directory / f"{user}.conf"
        path.touch(mode=0o600)
        path.write_text("".join(f"{key}={value}\n" for key, value in self.conf(user, password).items()))
        return str(path)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
