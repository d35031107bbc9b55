"""What one broker says about its cluster: a Metadata request of version 1 by hand, over mutual TLS."""

import socket
import ssl
import struct


def tls(keystore, ca):
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(str(keystore))
    return context


def metadata(port, context, timeout=2):
    """(broker ids, [(topic, partition, replicas, in-sync replicas)]); raises OSError while there is no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as wire:
            client = b"probe"
            request = struct.pack(f">hhih{len(client)}si", 3, 1, 1, len(client), client, -1)
            wire.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _exactly(wire, 4))
            return _parse(_Reader(_exactly(wire, size)))


def _exactly(wire, count):
    data = b""
    while len(data) < count:
        more = wire.recv(count - len(data))
        if not more:
            raise ConnectionError("closed in the middle of an answer")
        data += more
    return data


def _parse(reader):
    reader.take("i")  # correlation id
    brokers = []
    for _ in range(reader.take("i")):
        brokers.append(reader.take("i"))
        reader.text(), reader.take("i"), reader.text()  # host, port, rack
    reader.take("i")  # controller
    partitions = []
    for _ in range(reader.take("i")):
        reader.take("h")  # error
        topic = reader.text()
        reader.take("b")  # internal
        for _ in range(reader.take("i")):
            reader.take("h")  # error
            number = reader.take("i")
            reader.take("i")  # leader
            replicas, in_sync = ([reader.take("i") for _ in range(reader.take("i"))] for _ in range(2))
            partitions.append((topic, number, replicas, in_sync))
    return brokers, partitions


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind):
        (value,) = struct.unpack_from(f">{kind}", self.data, self.at)
        self.at += struct.calcsize(f">{kind}")
        return value

    def text(self):
        length = self.take("h")
        self.at += max(length, 0)
        return self.data[self.at - length : self.at].decode() if length > 0 else ""
