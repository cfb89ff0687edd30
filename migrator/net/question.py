"""One question to one name server, and a judgement of what comes back."""

import errno
import time
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, repeat
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from migrator.errors import DnsError
from migrator.net.nameserver import Server
from migrator.retry import DNS_QUERY, Clock, Sleep

AddressType = Literal["A", "AAAA"]

MOST_RECORDS = 64
"""More addresses or name servers than any real zone has: an answer that goes beyond is not believed."""

LARGEST_TTL = 2**31 - 1
"""Seconds (RFC 2181, 8)."""

# A size that is not fragmented on the way (DNS Flag Day 2020, RFC 9715).
_PAYLOAD = 1232
_LARGEST_PAYLOAD = 4096  # what was usual before
_UNROUTABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a reply, and the clock that measures it: `timeout` in seconds for the first try.

    Later tries wait twice as long, for a slow server answers none that is given up before.
    """

    timeout: float = 3.0
    sleep: Sleep = time.sleep
    clock: Clock = time.monotonic


class Outcome(StrEnum):
    """What became of a question. All but `ANSWERED` are errors; that there are no records is none."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNROUTABLE = "unroutable"
    NO_ADDRESS = "no address"
    MALFORMED = "malformed"
    LAME = "lame"
    NAME_ERROR = "NXDOMAIN"
    ALIAS = "alias"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server says about one type of address records of one name.

    `addresses` are sorted; `ttl` is in seconds, of a resolver what remains of it, and None where there are no
    records; `error` is None or one sentence, and then there are no addresses; `authoritative` is the AA bit.
    `outcome` says the same for a program: `UNROUTABLE` is about the asking machine, which has no way there.
    """

    server: Server
    rdtype: AddressType
    addresses: tuple[str, ...] = ()
    ttl: int | None = None
    error: str | None = None
    authoritative: bool = False
    outcome: Outcome = Outcome.ANSWERED


class NoReply(Exception):
    """A server gave no reply that can be used."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


def parse_name(text: str) -> dns.name.Name:
    """Return an absolute domain name. Raise DnsError where the text is none."""
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise DnsError("not a domain name", expected="a domain name", seen=repr(text)) from error


def exchange(
    server: Server, name: dns.name.Name, rdtype: str, *, recursive: bool, patience: Patience
) -> dns.message.Message:
    """Ask over UDP, and over TCP where the reply is truncated (RFC 7766); where none comes, without EDNS, then by TCP.

    Replies with another id, question or source do not count. Raise NoReply where nothing usable comes.
    """
    if not server.address:
        raise NoReply(Outcome.NO_ADDRESS, "no address is known for this name server")
    longest = 2 * patience.timeout
    asking = _Asking(server, name, rdtype, recursive, longest)
    # Some servers, and firewalls before them, drop what has an OPT record, or all of UDP.
    tries = chain((lambda: asking.by_udp(timeout=patience.timeout), asking.without_edns), repeat(asking.last))
    retrying = DNS_QUERY.retrying(dns.exception.Timeout, sleep=patience.sleep, clock=patience.clock)
    try:
        response: dns.message.Message = retrying(lambda: next(tries)())
        response = asking.another(response)
    except dns.exception.Timeout:
        raise NoReply(Outcome.TIMEOUT, f"no usable reply within {longest:g} s, asked several times") from None
    except OSError as error:
        outcome = Outcome.UNROUTABLE if error.errno in _UNROUTABLE else Outcome.UNREACHABLE
        raise NoReply(outcome, f"cannot be asked: {error.strerror or type(error).__name__}") from error
    except (dns.exception.DNSException, EOFError, ValueError) as error:
        raise NoReply(Outcome.MALFORMED, f"the reply is malformed ({type(error).__name__})") from error
    if response.flags & dns.flags.TC:
        raise NoReply(Outcome.MALFORMED, "the reply is cut off, over TCP as well")
    return response


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question in the forms that servers may want; `longest` is how long a reply is waited for, in seconds."""

    server: Server
    name: dns.name.Name
    rdtype: str
    recursive: bool
    longest: float

    def by_udp(
        self, *, edns: bool = True, payload: int = _PAYLOAD, timeout: float = 0.0
    ) -> dns.message.Message:
        """Ask over UDP; a reply that is cut off is asked for over TCP, and where none comes so, in a larger packet."""
        try:
            return self._udp(self._query(edns, payload), timeout or self.longest, whole=payload == _PAYLOAD)
        except dns.message.Truncated as cut:
            short: dns.message.Message = cut.message()  # type: ignore[no-untyped-call]
        try:
            return self.by_tcp(edns=edns)
        except _NOTHING:
            # A server behind a firewall that knows DNS as UDP alone still fills what it is offered.
            larger = self.by_udp(payload=_LARGEST_PAYLOAD) if edns else None
            return larger or short

    def by_tcp(self, *, edns: bool = True) -> dns.message.Message:
        """Ask over TCP."""
        query = self._query(edns, _PAYLOAD)
        return dns.query.tcp(query, self.server.address, self.longest, self.server.port)

    def without_edns(self) -> dns.message.Message:
        """Ask over UDP as it was before EDNS (RFC 6891, 7)."""
        return self.by_udp(edns=False)

    def last(self) -> dns.message.Message:
        """Ask over TCP and without EDNS; what is no answer there either counts as none."""
        try:
            return self.by_tcp(edns=False)
        except _NOTHING:
            raise dns.exception.Timeout from None

    def another(self, response: dns.message.Message) -> dns.message.Message:
        """Ask in another form where a reply may be about the form alone; return the first where that tells no more."""
        ways = _OTHER_FORMS.get(response.rcode(), ())
        for edns, tcp in ways:
            try:
                found = self.by_tcp(edns=edns) if tcp else self.by_udp(edns=edns)
            except _NOTHING:
                continue
            if found.rcode() not in _OTHER_FORMS:
                return found
        return response

    def _query(self, edns: bool, payload: int) -> dns.message.QueryMessage:
        flags = dns.flags.RD if self.recursive else dns.flags.Flag(0)
        return dns.message.make_query(
            self.name,
            self.rdtype,
            use_edns=0 if edns else None,
            payload=payload if edns else None,
            flags=int(flags),
        )

    def _udp(self, query: dns.message.Message, timeout: float, *, whole: bool) -> dns.message.Message:
        # Whatever does not fit the question is passed over until the time is up, so a forger cannot answer first.
        return dns.query.udp(
            query,
            self.server.address,
            timeout,
            self.server.port,
            ignore_unexpected=True,
            ignore_errors=True,
            raise_on_truncation=whole,
        )


_NOTHING = (dns.exception.DNSException, OSError, EOFError, ValueError)
_OTHER_FORMS: dict[int, tuple[tuple[bool, bool], ...]] = {
    # A server from before EDNS answers so (RFC 6891, 7), and some with SERVFAIL.
    **dict.fromkeys(
        (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS, dns.rcode.SERVFAIL), ((False, False),)
    ),
    # RFC 7873, 5.3: who gets it again and again comes by TCP, where nobody needs a cookie.
    dns.rcode.BADCOOKIE: ((True, True), (False, True), (False, False)),
}
"""By response code, the forms in which to ask again: with EDNS, and over TCP."""


def ask(
    server: Server, name: dns.name.Name, rdtype: AddressType, *, recursive: bool, patience: Patience
) -> Answer:
    """Ask for address records and judge the reply; never raise for what a server does.

    Without `recursive`, a reply without the AA bit is an error: the server is lame for the zone (RFC 1912,
    2.8).
    """
    try:
        response = exchange(server, name, rdtype, recursive=recursive, patience=patience)
        authoritative = bool(response.flags & dns.flags.AA)
        _check(response, name, recursive)
        records = _records(response, name, rdtype)
    except NoReply as failure:
        return Answer(server, rdtype, error=failure.reason, outcome=failure.outcome)
    if records is None:
        return Answer(server, rdtype, authoritative=authoritative)
    addresses = tuple(sorted(record.to_text() for record in records))
    # A TTL with the highest bit set means zero (RFC 2181, 8).
    ttl = records.ttl if records.ttl <= LARGEST_TTL else 0
    return Answer(server, rdtype, addresses, ttl, None, authoritative)


def _check(response: dns.message.Message, name: dns.name.Name, recursive: bool) -> None:
    """Raise NoReply where the response code or a missing AA bit makes the reply useless."""
    code = response.rcode()
    if code == dns.rcode.REFUSED:
        raise NoReply(Outcome.REFUSED, "REFUSED: it does not answer this machine, or does not serve the zone")
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoReply(Outcome.FAILED, f"{dns.rcode.to_text(code)}: the server cannot answer")
    if not recursive and not response.flags & dns.flags.AA:
        raise NoReply(Outcome.LAME, "lame: it answers without authority for the zone")
    if code == dns.rcode.NXDOMAIN:
        raise NoReply(Outcome.NAME_ERROR, f"NXDOMAIN: {name} does not exist there")


def _records(
    response: dns.message.Message, name: dns.name.Name, rdtype: AddressType
) -> dns.rrset.RRset | None:
    """Return the records of just this name and type, or None. Raise NoReply for odd ones."""
    kind = dns.rdatatype.from_text(rdtype)
    alias = next(
        (one for one in response.answer if one.name == name and one.rdtype == dns.rdatatype.CNAME), None
    )
    if alias is not None:
        raise NoReply(
            Outcome.ALIAS,
            f"{name} is an alias of {alias[0].to_text()}; a mail host has addresses itself (RFC 2181, 10.3)",
        )
    records = next((one for one in response.answer if one.name == name and one.rdtype == kind), None)
    if records is not None and len(records) > MOST_RECORDS:
        raise NoReply(Outcome.MALFORMED, f"it gives {len(records)} addresses, more than is believable")
    return records
