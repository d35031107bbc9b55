"""What crosses the wire, taken down by a relay between client and broker."""

import base64
import socket
import subprocess
import threading
import uuid

import pytest
from confluent_kafka import Producer
from environment import BINARY


class Relay:
    """Passes bytes on between a free port and the broker, and keeps all of them."""

    def __init__(self, target):
        self.target, self.bytes, self.lock = target, bytearray(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                with self.lock:
                    self.bytes += data
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.mark.serve_only("the listener in front is the same code; three addresses would need three relays")
def test_the_wire_holds_neither_payload_nor_password_nor_user(fresh):
    # The broker advertises the relay's port, so that every connection goes through it.
    server = fresh()
    relay = Relay(("127.0.0.1", server.port))
    config = server.data_dir / "schloss.toml"
    server.stop()
    config.write_text(
        config.read_text().replace("tls_certificate", f"advertised_port = {relay.port}\ntls_certificate")
    )
    server.output.clear()
    process = subprocess.Popen([BINARY, "serve", "--config", str(config)], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if "serving" in line:
                break
        threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
        payload, conf = uuid.uuid4().hex * 4, server.conf("orders-producer")
        conf["bootstrap.servers"] = f"127.0.0.1:{relay.port}"
        producer, errors = Producer(conf), []
        for _ in range(50):
            producer.produce("orders", payload, on_delivery=lambda error, _: error and errors.append(error))
        assert producer.flush(20) == 0 and errors == []
        captured = bytes(relay.bytes)
    finally:
        process.terminate()
        assert process.wait(30) == 0
        relay.listener.close()
    assert len(captured) > 50 * len(payload), "the relay saw the traffic"
    for secret in (payload, conf["sasl.password"], "orders-producer", "SCRAM-SHA-512", "orders"):
        assert secret.encode() not in captured, secret
        assert base64.b64encode(secret.encode()) not in captured, secret
    # The first bytes are a TLS record, and so is nothing but TLS.
    assert captured[0] == 0x16
