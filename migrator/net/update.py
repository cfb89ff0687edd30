"""Changing address records by one signed message (RFC 2136, signed as in RFC 8945)."""

import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import dns.exception
import dns.message
import dns.rcode
import dns.tsig
import dns.update

from migrator.change import AddressSet
from migrator.errors import DnsError
from migrator.net.nameserver import Server
from migrator.net.question import LARGEST_TTL, parse_name
from migrator.net.tsig import TsigKey

_MEANING = {
    dns.rcode.REFUSED: "the server refuses: allow this key to update the name (BIND: update-policy)",
    dns.rcode.NOTAUTH: "the server is not the zone's primary, or does not take the key",
    dns.rcode.NOTZONE: "the name lies outside the zone: check the zone and migration.mail_host",
    dns.rcode.NXRRSET: "the records are no longer what they were when this was planned: run migrate again",
    dns.rcode.YXRRSET: "there are records where there were none when this was planned: run migrate again",
    dns.rcode.SERVFAIL: "the server could not write the zone: see its log (often a read-only folder)",
    dns.rcode.FORMERR: "the server does not understand the update: see its log",
    dns.rcode.NOTIMP: "the server takes no updates: set dns.update to manual, command or lexicon",
}
_KEY_FAULTS: dict[type[dns.exception.DNSException], tuple[str, str]] = {
    dns.tsig.PeerBadKey: ("BADKEY", "the server knows no key of this name: check dns.rfc2136.key_name"),
    dns.tsig.PeerBadSignature: ("BADSIG", "the server has another secret or algorithm under this key's name"),
    dns.tsig.PeerBadTime: (
        "BADTIME",
        "this machine's clock and the server's differ by minutes: set both by NTP",
    ),
    dns.tsig.PeerBadTruncation: (
        "BADTRUNC",
        "the server wants a longer signature: use another key_algorithm",
    ),
    dns.tsig.BadSignature: ("bad reply", "the reply's signature is wrong: somebody else may have answered"),
    dns.tsig.BadTime: ("bad reply", "the reply's time is off by minutes: set both clocks by NTP"),
    dns.tsig.BadKey: ("bad reply", "the reply is signed with another key"),
    dns.tsig.BadAlgorithm: ("bad reply", "the reply is signed with another algorithm"),
}


def update(
    server: Server,
    zone: str,
    name: str,
    sets: Sequence[AddressSet],
    key: TsigKey,
    *,
    only_if: Mapping[Literal["A", "AAAA"], Sequence[str]] | None = None,
    timeout: float = 10.0,
) -> None:
    """Make the address records of `name` exactly `sets`, in one message over TCP, so that there is no gap.

    A set without addresses removes that type; a type that is not in `sets` stays. With `only_if`, the server
    changes nothing unless the name has just these addresses of each type now (RFC 2136, 2.4).

    Return once the server has confirmed with its signature, for which it has `timeout` seconds. Raise
    DnsError with what to do otherwise. After a time-out or a broken connection, the change may have been
    made all the same.
    """
    message = update_message(zone, name, sets, key, only_if=only_if)
    response = _send(message, server, timeout)
    code = response.rcode()
    if code != dns.rcode.NOERROR:
        raise _refusal(server, name, dns.rcode.to_text(code), _MEANING.get(code, "see the server's log"))
    if not response.had_tsig:
        raise _refusal(
            server, name, "a reply without a signature", "somebody else may have answered: ask the server"
        )


def update_message(
    zone: str,
    name: str,
    sets: Sequence[AddressSet],
    key: TsigKey,
    *,
    only_if: Mapping[Literal["A", "AAAA"], Sequence[str]] | None = None,
) -> dns.update.UpdateMessage:
    """Return the signed message that `update` sends. Raise DnsError where a name or an address is none."""
    signer = _signer(key)
    owner = parse_name(name)
    message = dns.update.UpdateMessage(parse_name(zone), keyring=signer)
    if not owner.is_subdomain(parse_name(zone)):
        raise DnsError("the name lies outside the zone", expected=f"a name in {zone}", seen=name)
    try:
        for rdtype, addresses in (only_if or {}).items():
            if addresses:
                message.present(owner, rdtype, *addresses)
            else:
                message.absent(owner, rdtype)
        for one in sets:
            if not 0 <= one.ttl <= LARGEST_TTL:
                raise ValueError(f"a TTL of {one.ttl} s")
            message.delete(owner, one.rdtype)
            if one.addresses:
                message.add(owner, one.ttl, one.rdtype, *one.addresses)
    except (dns.exception.DNSException, ValueError) as error:
        raise DnsError("this cannot be an address record", seen=str(error)) from error
    return message


class _Signer(dns.tsig.Key):
    """A key of dnspython, whose own representation tells the secret."""

    def __repr__(self) -> str:
        return f"<key {self.name}>"


def _signer(key: TsigKey) -> dns.tsig.Key:
    algorithm = dns.tsig.HMAC_MD5 if key.algorithm == "hmac-md5" else f"{key.algorithm}."
    return _Signer(parse_name(key.name), key.secret.reveal(), algorithm)


def _send(message: dns.update.UpdateMessage, server: Server, timeout: float) -> dns.message.Message:
    try:
        wire = message.to_wire()
        return _judged(message, _transmit(wire, server, time.monotonic() + timeout))
    except tuple(_KEY_FAULTS) as error:
        word, meaning = next(fault for kind, fault in _KEY_FAULTS.items() if isinstance(error, kind))
        raise _refusal(server, "", word, meaning) from error
    except TimeoutError as error:
        reason = f"no reply within {timeout:g} s; the change may have been made: ask the server"
        raise _refusal(server, "", "silence", reason) from error
    except OSError as error:
        seen = error.strerror or str(error)
        raise _refusal(
            server, "", seen, "see that TCP port 53 of the server can be reached from here"
        ) from error
    except EOFError as error:
        reason = "the change may have been made: ask the server, and see its log"
        raise _refusal(server, "", "the connection was closed without a reply", reason) from error
    except (dns.exception.DNSException, ValueError) as error:
        seen = f"a malformed reply ({type(error).__name__})"
        raise _refusal(server, "", seen, "the change may have been made: ask the server") from error


def _judged(message: dns.update.UpdateMessage, wire: bytes) -> dns.message.Message:
    """Return the reply with its signature checked; one that bears none is returned as it is, for its code."""
    response = dns.message.from_wire(wire, keyring=False)
    if not message.is_response(response):
        raise ValueError("this is no reply to the update")
    if not response.had_tsig:
        return response
    return dns.message.from_wire(wire, keyring=message.keyring, request_mac=message.mac)


def _transmit(wire: bytes, server: Server, deadline: float) -> bytes:
    """Return the reply to a message over TCP, where each has its length before it (RFC 1035, 4.2.2)."""

    def left() -> float:
        return max(0.001, deadline - time.monotonic())

    with socket.create_connection((server.address, server.port), left()) as connection:
        connection.sendall(struct.pack("!H", len(wire)) + wire)
        received = b""
        while len(received) < 2 or len(received) < 2 + struct.unpack("!H", received[:2])[0]:
            connection.settimeout(left())
            if not (part := connection.recv(65537)):
                raise EOFError("the connection was closed")
            received += part
    return received[2 : 2 + struct.unpack("!H", received[:2])[0]]


def _refusal(server: Server, name: str, seen: str, advice: str) -> DnsError:
    what = f"the update of {name}" if name else "the update"
    return DnsError(
        f"{what} failed at {server}: {seen}",
        host="operator",
        expected="NOERROR, signed with the key",
        seen=seen,
        advice=advice,
    )
