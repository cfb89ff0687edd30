"""A small real name server on loopback, over UDP and TCP, with the faults that real ones have."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

Reply = dns.message.Message | bytes | None
Behaviour = Callable[[dns.message.Message, bool], Reply]
SOA = "ns1.example.test. hostmaster.example.test. 1 3600 600 86400 300"


@dataclass
class Zone:
    """Records by name and type, each with its TTL; `keys` may update them."""

    origin: str = "example.test."
    records: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    keys: dict[dns.name.Name, dns.tsig.Key] = field(default_factory=dict)

    def put(self, name: str, rdtype: str, ttl: int, *texts: str) -> Self:
        self.records[(name, rdtype)] = (ttl, list(texts))
        return self

    def addresses(self, name: str, rdtype: str) -> tuple[int, list[str]] | None:
        return self.records.get((name, rdtype))

    def answer(self, query: dns.message.Message, tcp: bool = True) -> dns.message.Message:
        """Answer with authority from the records, as a primary does."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        name = query.question[0].name.to_text().lower()
        rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
        for kind in (rdtype, "CNAME"):
            if found := self.records.get((name, kind)):
                response.answer.append(dns.rrset.from_text(name, found[0], "IN", kind, *found[1]))
                return response
        if not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def take(self, wire: bytes) -> dns.message.Message:
        """Take an update (RFC 2136), checking its signature (RFC 8945)."""
        try:
            message = dns.message.from_wire(wire, keyring=self.keys)
        except dns.message.UnknownTSIGKey:
            return self._key_fault(wire, dns.rcode.BADKEY)
        except dns.tsig.BadSignature:
            return self._key_fault(wire, dns.rcode.BADSIG)
        except dns.tsig.BadTime:
            return self._key_fault(wire, dns.rcode.BADTIME)
        assert isinstance(message, dns.update.UpdateMessage)
        response = dns.message.make_response(message)
        if message.zone[0].name.to_text() != self.origin:
            response.set_rcode(dns.rcode.NOTAUTH)
        elif not all(self._holds(one) for one in message.prerequisite):
            response.set_rcode(dns.rcode.NXRRSET)
        else:
            for change in message.update:
                self._apply(change)
        return response

    def _key_fault(self, wire: bytes, fault: dns.rcode.Rcode) -> dns.message.Message:
        message = dns.message.from_wire(wire, keyring=False)
        response = dns.message.make_response(message, tsig_error=fault)
        assert message.keyname is not None
        response.use_tsig(dns.tsig.Key(message.keyname, "AAAA"), tsig_error=fault)
        response.set_rcode(dns.rcode.NOTAUTH)
        return response

    def _holds(self, wanted: dns.rrset.RRset) -> bool:
        found = self.records.get((wanted.name.to_text(), dns.rdatatype.to_text(wanted.rdtype)))
        if wanted.deleting == dns.rdataclass.NONE:
            return found is None
        return found is not None and sorted(found[1]) == sorted(record.to_text() for record in wanted)

    def _apply(self, change: dns.rrset.RRset) -> None:
        place = (change.name.to_text(), dns.rdatatype.to_text(change.rdtype))
        if change.deleting is not None:
            self.records.pop(place, None)
            return
        _, texts = self.records.get(place, (0, []))
        self.records[place] = (change.ttl, texts + [record.to_text() for record in change])


class DnsServer:
    """Serves a zone, or whatever `behaviour` says, on one loopback address. A context manager."""

    def __init__(
        self, zone: Zone, *, behaviour: Behaviour | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.zone = zone
        self.address = address
        self.behaviour = behaviour or zone.answer
        self.asked: list[tuple[dns.message.Message, bool]] = []
        self.updates: list[dns.message.Message] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        outer = self

        class Udp(socketserver.ThreadingUDPServer):
            address_family = family
            daemon_threads = True

        class Tcp(socketserver.ThreadingTCPServer):
            address_family = family
            daemon_threads = True
            allow_reuse_address = True

        class OverUdp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                wire, sock = self.request
                if reply := outer.reply(wire, tcp=False):
                    sock.sendto(reply, self.client_address)

        class OverTcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if len(size := self.rfile.read(2)) < 2:
                    return
                if reply := outer.reply(self.rfile.read(struct.unpack("!H", size)[0]), tcp=True):
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

        # The same number has to be free for both; a test beside this one may hold it for TCP.
        for chances_left in reversed(range(20)):
            self._udp = Udp((address, port), OverUdp)
            self.port: int = self._udp.server_address[1]
            try:
                self._tcp = Tcp((address, self.port), OverTcp)
                break
            except OSError:
                self._udp.server_close()
                if port or not chances_left:
                    raise

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        if wire[2] >> 3 & 0xF == dns.opcode.UPDATE:
            response: Reply = self.zone.take(wire)
            assert isinstance(response, dns.message.Message)
            self.updates.append(response)
        else:
            query = dns.message.from_wire(wire)
            self.asked.append((query, tcp))
            response = self.behaviour(query, tcp)
        return response.to_wire(max_size=65535) if isinstance(response, dns.message.Message) else response

    @property
    def text(self) -> str:
        """The server as a plan names it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def __enter__(self) -> Self:
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
