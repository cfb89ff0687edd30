"""A name server that stands before the lab's real one, and answers badly when it is told to."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset

DNS_PORT = 53
SECONDS = 5.0

Honest = Callable[[], bytes]
Mood = Callable[[dns.message.Message, bool, Honest], bytes | None]
"""Given a question, whether it came over TCP, and what asks the real server, return the reply, None for silence."""


class HostileServer:
    """A name server at an address of this machine, over UDP and TCP. A context manager.

    Given that address and the real server's, it hands everything to and fro while `mood` is `honest`.
    """

    def __init__(self, address: str, upstream: str) -> None:
        self.mood: Mood = honest
        self._upstream = upstream
        outer = self

        class OverUdp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                wire, sock = self.request
                if reply := outer.reply(wire, tcp=False):
                    sock.sendto(reply, self.client_address)

        class OverTcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                size = self.rfile.read(2)
                if len(size) < 2:
                    return
                reply = outer.reply(self.rfile.read(struct.unpack("!H", size)[0]), tcp=True)
                if reply is None:
                    self.rfile.read()  # until the other side has lost its patience
                else:
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

        self._tcp = socketserver.ThreadingTCPServer((address, 0), OverTcp)
        self.port: int = self._tcp.server_address[1]
        self._udp = socketserver.ThreadingUDPServer((address, self.port), OverUdp)
        self._tcp.daemon_threads = self._udp.daemon_threads = True
        self.place = f"{address}:{self.port}"

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Return the reply that the mood gives to a question or an update."""
        return self.mood(dns.message.from_wire(wire, keyring=False), tcp, lambda: self._ask(wire, tcp=tcp))

    def _ask(self, wire: bytes, *, tcp: bool) -> bytes:
        if not tcp:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SECONDS)
                sock.sendto(wire, (self._upstream, DNS_PORT))
                return sock.recv(65535)
        with socket.create_connection((self._upstream, DNS_PORT), SECONDS) as connection:
            connection.sendall(struct.pack("!H", len(wire)) + wire)
            with connection.makefile("rb") as stream:
                return stream.read(struct.unpack("!H", stream.read(2))[0])

    def __enter__(self) -> Self:
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()


def honest(_query: dns.message.Message, _tcp: bool, ask: Honest) -> bytes:
    """Answer as the real server does."""
    return ask()


def lame(_query: dns.message.Message, _tcp: bool, ask: Honest) -> bytes:
    """Answer without authority."""
    wire = bytearray(ask())
    wire[2] &= ~(dns.flags.AA >> 8)
    return bytes(wire)


def saying(code: dns.rcode.Rcode) -> Mood:
    """Return the mood of a server that answers everything with this code."""

    def say(query: dns.message.Message, _tcp: bool, _ask: Honest) -> bytes:
        header = struct.pack("!HHHHHH", query.id, dns.flags.QR | query.flags & 0x7800 | code, 0, 0, 0, 0)
        if query.opcode() == dns.opcode.UPDATE:
            return header
        response = dns.message.make_response(query)
        response.set_rcode(code)
        return response.to_wire()

    return say


def silent(_query: dns.message.Message, _tcp: bool, _ask: Honest) -> None:
    """Answer nothing."""


def deaf_after(_query: dns.message.Message, _tcp: bool, ask: Honest) -> None:
    """Do what is asked, and let the answer get lost."""
    ask()


def slow(_query: dns.message.Message, _tcp: bool, ask: Honest) -> bytes:
    """Answer as the real server does, five seconds late."""
    time.sleep(SECONDS)
    return ask()


def cut(query: dns.message.Message, _tcp: bool, _ask: Honest) -> bytes:
    """Answer that the answer does not fit, over TCP as well."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA | dns.flags.TC
    return response.to_wire()


def forged(_query: dns.message.Message, _tcp: bool, ask: Honest) -> bytes:
    """Answer with another number than the question's."""
    wire = ask()
    return bytes((wire[0] ^ 0x5A, *wire[1:]))


def garbage(query: dns.message.Message, _tcp: bool, _ask: Honest) -> bytes:
    """Answer with the question's number and nonsense."""
    return struct.pack("!H", query.id) + b"\x84\x00\xff\xff\xff\xff" * 40


def records(rdtype: str, *texts: str) -> Mood:
    """Return the mood of a server that claims, with authority, these records for every name."""

    def claim(query: dns.message.Message, tcp: bool, _ask: Honest) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        name = query.question[0].name
        response.answer.append(dns.rrset.from_text(name, 60, "IN", rdtype, *texts))
        if not tcp and sum(map(len, texts)) > 400:
            return cut(query, tcp, _ask)
        return response.to_wire(max_size=65535)

    return claim


def flooding(query: dns.message.Message, tcp: bool, ask: Honest) -> bytes:
    """Answer as the real server does, with 60,000 bytes of text beside it."""
    if not tcp:
        return cut(query, tcp, ask)
    response = dns.message.from_wire(ask())
    text = " ".join(['"' + "x" * 250 + '"'] * 220)
    response.additional.append(dns.rrset.from_text("x.example.test.", 60, "IN", "TXT", text))
    return response.to_wire(max_size=65535)
