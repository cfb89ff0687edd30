"""What the DNS says of a mail host: each authoritative server at each address, and what resolvers cache."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import get_args

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.NS import NS

from migrator.errors import DnsError
from migrator.net.nameserver import PUBLIC_RESOLVERS, Server, host_and_port, is_address
from migrator.net.question import (
    MOST_RECORDS,
    AddressType,
    Answer,
    NoReply,
    Outcome,
    Patience,
    ask,
    exchange,
    parse_name,
)

__all__ = ["PUBLIC_RESOLVERS", "Answer", "Outcome", "Patience", "Resolver", "Server"]

_TYPES: tuple[AddressType, ...] = get_args(AddressType)
_THREADS = 16


class Resolver:
    """Asks name servers, concurrently.

    Given the plan's `nameservers` (as `host_and_port` reads them), these are the authoritative servers of
    every name; without any, the zone's own NS are. `system` are the recursive servers that find zones and the
    addresses of servers; by default those of /etc/resolv.conf.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        system: Sequence[Server] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._nameservers = tuple(nameservers)
        self._given_system = tuple(system) if system is not None else None
        self._patience = patience or Patience()

    def authoritative(self, name: str) -> tuple[Server, ...]:
        """Return the authoritative servers of a name, each at every one of its addresses.

        A server that has no address is among them, without one: asking it gives an error, so that it is not
        passed over. Raise DnsError where the zone or its servers cannot be found.
        """
        if self._nameservers:
            return self._located(self._nameservers)
        zone = self.zone(name)
        targets = [
            record.target.to_text(omit_final_dot=True)
            for record in self._recurse(zone, "NS")
            if isinstance(record, NS)
        ]
        if not 0 < len(targets) <= MOST_RECORDS:
            raise DnsError(f"{zone} has no usable list of name servers", seen=f"{len(targets)} NS records")
        return self._located(sorted(targets))

    def zone(self, name: str) -> dns.name.Name:
        """Return the zone that a name is in: the nearest ancestor, or itself, with a SOA record.

        Raise DnsError where no ancestor below the root has one, or no server answers.
        """
        servers = self._located(self._nameservers) if self._nameservers else self._system()
        ancestor = parse_name(name)
        while len(ancestor) > 1:
            if _owned(self._first_reply(servers, ancestor, "SOA"), ancestor, "SOA"):
                return ancestor
            ancestor = ancestor.parent()
        raise DnsError(
            f"no zone is found for {name}",
            expected="a SOA record at the name or above it",
            advice="check the name, or name the zone's servers in dns.nameservers",
        )

    def query_authoritative(self, name: str, types: Sequence[AddressType] = _TYPES) -> tuple[Answer, ...]:
        """Return what every authoritative server says, at each of its addresses, for each type.

        Servers that fail are answers with an error. Raise DnsError as `authoritative` does.
        """
        return self._ask_all(self.authoritative(name), name, types, recursive=False)

    def query_resolvers(
        self, name: str, resolvers: Sequence[str] = (), types: Sequence[AddressType] = _TYPES
    ) -> tuple[Answer, ...]:
        """Return what every resolver says, with what remains of the TTL where it answers from its cache.

        Without `resolvers`, `PUBLIC_RESOLVERS` are asked. Raise DnsError where one of them is misspelt.
        """
        servers = self._located(resolvers) if resolvers else PUBLIC_RESOLVERS
        return self._ask_all(servers, name, types, recursive=True)

    def _ask_all(
        self, servers: Sequence[Server], name: str, types: Sequence[AddressType], *, recursive: bool
    ) -> tuple[Answer, ...]:
        question = parse_name(name)

        def one(pair: tuple[Server, AddressType]) -> Answer:
            return ask(pair[0], question, pair[1], recursive=recursive, patience=self._patience)

        with ThreadPoolExecutor(_THREADS) as pool:
            return tuple(pool.map(one, product(servers, types)))

    def _located(self, texts: Sequence[str]) -> tuple[Server, ...]:
        """Return the servers that a plan or NS records name, at every address."""
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(self._at_every_address, texts)
            return tuple(dict.fromkeys(server for servers in found for server in servers))

    def _at_every_address(self, text: str) -> tuple[Server, ...]:
        host, port = host_and_port(text)
        if is_address(host):
            return (Server(host, host, port),)
        name = parse_name(host)
        addresses = {record.to_text() for record in list(self._recurse(name, "A"))[:MOST_RECORDS]}
        try:
            records = self._recurse(name, "AAAA")
        except DnsError:
            # Servers that answer well for A and badly for AAAA are many (RFC 4074); those with neither are told.
            if not addresses:
                raise
        else:
            addresses.update(record.to_text() for record in list(records)[:MOST_RECORDS])
        return tuple(Server(host, address, port) for address in sorted(addresses)) or (
            Server(host, "", port),
        )

    def _recurse(self, name: dns.name.Name, rdtype: str) -> Sequence[dns.rdata.Rdata]:
        """Return the records that recursion leads to, through aliases; none where there are none."""
        response = self._first_reply(self._system(), name, rdtype)
        try:
            return tuple(response.resolve_chaining().answer or ())
        except dns.exception.DNSException as error:
            raise DnsError(f"the reply for {name} {rdtype} makes no sense", seen=str(error)) from error

    def _first_reply(
        self, servers: Sequence[Server], name: dns.name.Name, rdtype: str
    ) -> dns.message.QueryMessage:
        """Return the first reply that says something, be it "nothing". Raise DnsError without one."""
        complaints = []
        for server in servers:
            try:
                response = exchange(server, name, rdtype, recursive=True, patience=self._patience)
            except NoReply as failure:
                complaints.append(f"{server}: {failure.reason}")
                continue
            code = response.rcode()
            if code in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and isinstance(
                response, dns.message.QueryMessage
            ):
                return response
            complaints.append(f"{server}: {dns.rcode.to_text(code)}")
        raise DnsError(
            f"no name server says anything about {name} {rdtype}",
            expected="an answer, be it that there is none",
            seen="; ".join(complaints) or "there is no name server to ask",
            advice="see that this machine's resolver (/etc/resolv.conf) works, or set dns.nameservers",
        )

    def _system(self) -> tuple[Server, ...]:
        if self._given_system is not None:
            return self._given_system
        try:
            configured = dns.resolver.Resolver().nameservers
        except dns.resolver.NoResolverConfiguration as error:
            raise DnsError(
                "this machine has no resolver",
                seen="no nameserver in /etc/resolv.conf",
                advice="set dns.nameservers",
            ) from error
        return tuple(Server(address, address) for address in map(str, configured))


def _owned(response: dns.message.Message, name: dns.name.Name, rdtype: str) -> bool:
    kind = dns.rdatatype.from_text(rdtype)
    return any(records.name == name and records.rdtype == kind for records in response.answer)
