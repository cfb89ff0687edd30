"""The beginning of a TLS handshake, spoken by hand: what a server answers to a hello says what it offers.

Up to TLS 1.2 the server's Diffie-Hellman parameters come in the clear (RFC 5246, 7.4.3), whatever the cryptography
library of this machine would put up with; so no key is ever agreed on, and no policy of this machine is in the way.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

VERSIONS = {"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
"""The protocols by their names in OpenSSL, oldest first."""

# Ephemeral Diffie-Hellman over finite fields, with RSA and DSS certificates and without one (RFC 5246, 5288, 7905).
DHE = (
    *(
        0x009F,
        0x009E,
        0x006B,
        0x0067,
        0x0039,
        0x0033,
        0x0016,
        0xC09F,
        0xC09E,
        0xCCAA,
        0x0088,
        0x0045,
        0x00C4,
        0x00BE,
    ),
    *(0x00A3, 0x00A2, 0x006A, 0x0040, 0x0038, 0x0032, 0x0013, 0x0015, 0x0012, 0x0014, 0x0011),
)
_ELLIPTIC = (
    0xC030,
    0xC02F,
    0xC02C,
    0xC02B,
    0xC028,
    0xC027,
    0xC024,
    0xC023,
    0xC014,
    0xC013,
    0xC00A,
    0xC009,
    0xCCA8,
)
_PLAIN = (0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F, 0x000A, 0x0005, 0x0004)
_THIRTEEN = (0x1302, 0x1303, 0x1301)
EVERY = (*_THIRTEEN, *_ELLIPTIC, *DHE, *_PLAIN)
"""All suites that a server of the last twenty years is likely to have."""

_SCSV = 0x00FF  # secure renegotiation is understood (RFC 5746)
_RECORD, _HANDSHAKE, _ALERT = 16640, 0x16, 0x15
_SERVER_HELLO, _KEY_EXCHANGE, _HELLO_DONE = 2, 12, 14
_MOST = 65536  # octets that a server may say before it is cut off


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What a server answered: the version and suite it chose (0: none, `alert` says why), and its DH modulus or 0."""

    version: int = 0
    suite: int = 0
    modulus: int = 0
    alert: str = ""

    @property
    def bits(self) -> int:
        """Return the size of the Diffie-Hellman group in bits, 0 where there is none."""
        return self.modulus.bit_length()


def client_hello(version: int, suites: tuple[int, ...]) -> bytes:
    """Given the highest version and the suites to offer, return a client hello as a record, ready to be sent."""
    offered = struct.pack(f"!{len(suites) + 1}H", *suites, _SCSV)
    body = struct.pack("!H", min(version, 0x0303)) + secrets.token_bytes(32) + b"\0"
    body += _vector(offered, 2) + b"\x01\0"
    if version > 0x0300:
        body += _vector(_extensions(version), 2)
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return struct.pack("!BH", _HANDSHAKE, max(0x0300, min(version, 0x0301))) + _vector(message, 2)


def read_answer(receive: Callable[[int], bytes]) -> ServerAnswer:
    """Given what receives up to so many octets, return the server's answer.

    An alert, a closed connection and what is no TLS are answers too: nothing was chosen. OSError goes through.
    """
    version = suite = modulus = 0
    for kind, body in _messages(_Stream(receive)):
        if kind == -1:
            return ServerAnswer(version, suite, modulus, alert=body.decode())
        if kind == _SERVER_HELLO and len(body) >= 38:
            version, suite = _chosen(body)
            if version == VERSIONS["TLSv1.3"]:
                break  # the rest is encrypted
        elif kind == _KEY_EXCHANGE and suite in DHE:
            modulus = int.from_bytes(body[2 : 2 + int.from_bytes(body[:2], "big")], "big")
            break
        elif kind == _HELLO_DONE:
            break
    return ServerAnswer(version, suite, modulus)


def _extensions(version: int) -> bytes:
    groups = struct.pack("!4H", 0x001D, 0x0017, 0x0018, 0x0019)  # x25519 and the NIST curves
    signatures = struct.pack(
        "!11H", *(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203), 0x0201
    )
    parts = [(10, _vector(groups, 2)), (11, b"\x01\0"), (13, _vector(signatures, 2))]
    if version == VERSIONS["TLSv1.3"]:
        # Without a share of a key the server asks for one, which proves the version as well (RFC 8446, 4.1.4).
        parts += [(43, _vector(struct.pack("!H", version), 1)), (51, _vector(b"", 2))]
    return b"".join(struct.pack("!H", number) + _vector(content, 2) for number, content in parts)


def _vector(content: bytes, size: int) -> bytes:
    return len(content).to_bytes(size, "big") + content


def _chosen(body: bytes) -> tuple[int, int]:
    """Return version and suite of a server hello; TLS 1.3 names its version in an extension (RFC 8446, 4.2.1)."""
    version = int.from_bytes(body[:2], "big")
    place = 35 + body[34]
    suite = int.from_bytes(body[place : place + 2], "big")
    rest = body[place + 5 :]
    while len(rest) >= 4:
        number, size = struct.unpack("!HH", rest[:4])
        if number == 43 and size == 2:
            version = int.from_bytes(rest[4:6], "big")
        rest = rest[4 + size :]
    return version, suite


class _Stream:
    """Octets as they come, in whole pieces. Given what receives them."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._left = _MOST
        self._buffer = b""

    def take(self, size: int) -> bytes | None:
        """Return so many octets, None where the server sends no more, or more than any hello is."""
        while len(self._buffer) < size:
            part = self._receive(4096)
            self._left -= len(part)
            if not part or self._left < 0:
                return None
            self._buffer += part
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


def _messages(stream: _Stream) -> Iterator[tuple[int, bytes]]:
    """Yield each handshake message as type and body; (-1, words) where there comes none."""
    pending = b""
    while True:
        header = stream.take(5)
        kind, size = (header[0], int.from_bytes(header[3:5], "big")) if header else (0, 0)
        if header and (kind not in (_HANDSHAKE, _ALERT) or header[1] != 3):
            yield -1, b"this is no TLS"
            return
        body = stream.take(size) if header and size <= _RECORD else None
        if header is None or body is None:
            yield -1, b"the server closed the connection"
            return
        if kind != _HANDSHAKE:
            yield -1, f"alert {body[1] if len(body) > 1 else ''}".encode()
            return
        pending += body
        while len(pending) >= 4 and len(pending) >= (end := 4 + int.from_bytes(pending[1:4], "big")):
            yield pending[0], pending[4:end]
            pending = pending[end:]
