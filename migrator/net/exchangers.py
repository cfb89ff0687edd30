"""Which hosts take mail for a domain, by its MX records."""

from collections.abc import Sequence

import dns.flags
import dns.rcode
import dns.rdatatype
from dns.rdtypes.ANY.MX import MX

from migrator.errors import DnsError
from migrator.net.question import MOST_RECORDS, NoReply, Outcome, Patience, exchange, parse_name
from migrator.net.resolver import Resolver, Server


def exchangers(
    domain: str,
    nameservers: Sequence[str] = (),
    *,
    system: Sequence[Server] | None = None,
    patience: Patience | None = None,
) -> tuple[str, ...]:
    """Return the hosts of a domain's MX records in the order of their preference, in lower case without a final dot.

    None where there are no such records: mail then goes to the domain's own address (RFC 5321, section 5.1).
    `nameservers` are asked first; they may be those of another zone, so the domain's own come after them, found
    through `system` (default: /etc/resolv.conf). Raise DnsError where none of them answers with authority.
    """
    patience = patience or Patience()
    complaints: list[str] = []
    for given in dict.fromkeys((tuple(nameservers), ())):
        try:
            servers = Resolver(given, system=system, patience=patience).authoritative(domain)
        except DnsError as error:
            complaints.append(error.message)
            continue
        for server in servers:
            try:
                return _ask(server, domain, patience)
            except NoReply as failure:
                complaints.append(f"{server}: {failure.reason}")
    raise DnsError(
        f"no name server tells the MX of {domain}",
        expected="an authoritative answer",
        seen="; ".join(dict.fromkeys(complaints)),
        advice="see that the domain is delegated, and that its servers answer this machine",
    )


def _ask(server: Server, domain: str, patience: Patience) -> tuple[str, ...]:
    name = parse_name(domain)
    response = exchange(server, name, "MX", recursive=False, patience=patience)
    authoritative = response.flags & dns.flags.AA
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not authoritative:
        raise NoReply(Outcome.LAME, f"{dns.rcode.to_text(response.rcode())}, without authority")
    found = [
        (record.preference, record.exchange.to_text(omit_final_dot=True).lower())
        for records in response.answer
        if records.name == name and records.rdtype == dns.rdatatype.MX
        for record in list(records)[:MOST_RECORDS]
        if isinstance(record, MX)
    ]
    return tuple(host for _, host in sorted(found))
