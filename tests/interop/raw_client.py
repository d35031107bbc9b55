"""A client by hand, for what no library does: it sends requests and reads answers when it is told to, or never."""

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import struct

from endpoint import read_conf

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE, FETCH = 18, 17, 36, 1
MECHANISM = "SCRAM-SHA-512"


class Refused(Exception):
    """The server said no to the log-in."""


class RawClient:
    """One connection to `address` (host, port), logged in with the settings of a librdkafka file."""

    def __init__(self, conf_file, address, receive_buffer=None, source=None):
        conf, (host, port) = read_conf(conf_file), address
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            raw.bind((source, 0))
        raw.settimeout(30)
        raw.connect((socket.gethostbyname(host), port))
        context = ssl.create_default_context(cafile=conf["ssl.ca.location"])
        self.wire = context.wrap_socket(raw, server_hostname=host)
        self._log_in(conf["sasl.username"], conf["sasl.password"])

    def send(self, api, version, body, times=1):
        """A request whose answer is not waited for, or many of the same in one piece."""
        client = b"raw"
        request = struct.pack(f">hhih{len(client)}s", api, version, 0, len(client), client) + body
        self.wire.sendall((struct.pack(">i", len(request)) + request) * times)

    def answer(self):
        """The body of the next answer of a version without tagged fields."""
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)[4:]

    def api_versions(self):
        """The least that there is to ask."""
        self.send(API_VERSIONS, 0, b"")
        return self.answer()

    def close(self):
        self.wire.close()

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            more = self.wire.recv(count - len(data))
            if not more:
                raise ConnectionError("closed in the middle of an answer")
            data += more
        return bytes(data)

    def _log_in(self, user, password):
        self.send(SASL_HANDSHAKE, 1, text(MECHANISM))
        (code,) = struct.unpack_from(">h", self.answer())
        if code:
            raise Refused(f"SaslHandshake: error {code}")
        first = f"n={user},r={base64.b64encode(secrets.token_bytes(18)).decode()}"
        challenge = self._authenticate("n,," + first)
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
        key = _mac(salted, b"Client Key")
        last = f"c=biws,r={fields['r']}"
        signature = _mac(hashlib.sha512(key).digest(), f"{first},{challenge},{last}".encode())
        proof = bytes(one ^ other for one, other in zip(key, signature))
        self._authenticate(f"{last},p={base64.b64encode(proof).decode()}")

    def _authenticate(self, message):
        data = message.encode()
        self.send(SASL_AUTHENTICATE, 0, struct.pack(">i", len(data)) + data)
        body = self.answer()
        (code,) = struct.unpack_from(">h", body)
        (length,) = struct.unpack_from(">h", body, 2)
        at = 4 + max(length, 0)
        if code:
            raise Refused(f"SaslAuthenticate: error {code}: {body[4:at].decode()}")
        (size,) = struct.unpack_from(">i", body, at)
        return body[at + 4 : at + 4 + size].decode()


def _mac(key, message):
    return hmac.new(key, message, hashlib.sha512).digest()


def text(value):
    data = value.encode()
    return struct.pack(f">h{len(data)}s", len(data), data)


def fetch_from_the_beginning(topics, max_bytes):
    """The body of a Fetch of version 4: partition 0 of every topic, as much as there is."""
    wanted = [text(topic) + struct.pack(">iiqi", 1, 0, 0, max_bytes) for topic in topics]
    return struct.pack(">iiiibi", -1, 500, 1, max_bytes, 0, len(wanted)) + b"".join(wanted)
