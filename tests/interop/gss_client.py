"""GSSAPI by hand, for what no library does: MIT's initiator by ctypes, and its tokens sent when and how a test wants."""

import ctypes
import struct

from raw_client import SASL_AUTHENTICATE, SASL_HANDSHAKE, RawClient, text

NO_LAYER = b"\x01\0\0\0"
MUTUAL, COMPLETE, CONTINUE = 2, 0, 1


class _Buffer(ctypes.Structure):
    _fields_ = [("length", ctypes.c_size_t), ("value", ctypes.c_void_p)]

    @classmethod
    def of(cls, data):
        made = cls(len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p))
        made.keep = data
        return made

    def bytes(self):
        return ctypes.string_at(self.value, self.length) if self.length else b""


class _Oid(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint32), ("elements", ctypes.c_char_p)]


_KRB5 = _Oid(9, b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
_KRB5_PRINCIPAL = _Oid(10, b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01")


class Initiator:
    """One security context with a service, by the tickets in the environment of this process."""

    def __init__(self, service, flags=MUTUAL):
        self._library = ctypes.CDLL("libgssapi_krb5.so.2")
        self._minor, self._context, self._name = ctypes.c_uint32(), ctypes.c_void_p(), ctypes.c_void_p()
        self._flags = flags
        major = self._library.gss_import_name(
            ctypes.byref(self._minor), ctypes.byref(_Buffer.of(service.encode())), ctypes.byref(_KRB5_PRINCIPAL),
            ctypes.byref(self._name),
        )
        assert major == COMPLETE, hex(major)

    def token(self, answer=None):
        """The next token for the service; none once there is nothing more to say."""
        out = _Buffer()
        major = self._library.gss_init_sec_context(
            ctypes.byref(self._minor), None, ctypes.byref(self._context), self._name, ctypes.byref(_KRB5),
            ctypes.c_uint32(self._flags), ctypes.c_uint32(0), None,
            ctypes.byref(_Buffer.of(answer)) if answer is not None else None, None, ctypes.byref(out), None, None,
        )
        assert major in (COMPLETE, CONTINUE), f"{major:#x}, {self._minor.value:#x}"
        return out.bytes()

    def wrap(self, message):
        out = _Buffer()
        major = self._library.gss_wrap(
            ctypes.byref(self._minor), self._context, 0, ctypes.c_uint32(0), ctypes.byref(_Buffer.of(message)), None,
            ctypes.byref(out),
        )
        assert major == COMPLETE, hex(major)
        return out.bytes()

    def unwrap(self, token):
        out = _Buffer()
        major = self._library.gss_unwrap(
            ctypes.byref(self._minor), self._context, ctypes.byref(_Buffer.of(token)), ctypes.byref(out), None, None
        )
        assert major == COMPLETE, hex(major)
        return out.bytes()


class GssClient(RawClient):
    """A connection that has asked for GSSAPI and can do nothing yet but send tokens."""

    def __init__(self, conf_file, address, handshake=1):
        self._handshake = handshake
        super().__init__(conf_file, address)

    def _log_in(self, *_):
        self.begin()

    def begin(self):
        """Asks for GSSAPI; again on an open connection, to renew its session (KIP-368)."""
        self.send(SASL_HANDSHAKE, self._handshake, text("GSSAPI"))
        (code,) = struct.unpack_from(">h", self.answer())
        assert code == 0, f"SaslHandshake: error {code}"

    def say(self, token):
        """Sends a token and gives the answer: error code, message, the server's token, lifetime of the session in ms."""
        if self._handshake == 0:
            self.wire.sendall(struct.pack(">i", len(token)) + token)
            (size,) = struct.unpack(">i", self._exactly(4))
            return 0, None, self._exactly(size), 0
        self.send(SASL_AUTHENTICATE, 1, struct.pack(">i", len(token)) + token)
        body = self.answer()
        code, length = struct.unpack_from(">hh", body)
        at = 4 + max(length, 0)
        message = body[4:at].decode() if length >= 0 else None
        (size,) = struct.unpack_from(">i", body, at)
        token = body[at + 4 : at + 4 + size]
        (lifetime,) = struct.unpack_from(">q", body, at + 4 + max(size, 0))
        return code, message, token, lifetime

    def log_in(self, initiator, acts_as=b"", layer=NO_LAYER):
        """All of RFC 4752; the last answer, or the first that is an error."""
        code, message, answer, lifetime = self.say(initiator.token())
        if code == 0 and answer and initiator._flags & MUTUAL:
            initiator.token(answer)
            code, message, answer, lifetime = self.say(b"")
        if code == 0:
            assert initiator.unwrap(answer) == NO_LAYER
            code, message, answer, lifetime = self.say(initiator.wrap(layer + acts_as))
        return code, message, lifetime
