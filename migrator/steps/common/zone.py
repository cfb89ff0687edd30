"""What the DNS steps share: the mail host's address records as the authoritative servers give them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from migrator.change import AddressSet
from migrator.errors import DnsError, NotReady, Refused
from migrator.net.resolver import Answer, Outcome
from migrator.plan import Plan
from migrator.steps.base import Context
from migrator.steps.common.opening import CACHED

SETTLE = timedelta(seconds=60)
"""How long a second authoritative server is given to take a change over (RFC 1996 NOTIFY takes seconds)."""


def answers(context: Context) -> tuple[Answer, ...]:
    """Ask every authoritative server at each of its addresses for the mail host.

    A server that fails for AAAA alone, where nothing of IPv6 moves, is passed over for it. Raises DnsError where one of
    them does not answer with authority: nothing can be said of the zone then.
    """
    given = context.names.authoritative(context.plan.mail_host)
    idle = idle_troubles(context.plan, given)
    # A server's IPv6 address says nothing to a machine without IPv6; its other addresses are asked as well.
    usable = tuple(
        answer for answer in given if answer.outcome is not Outcome.UNROUTABLE and answer not in idle
    )
    broken = [answer for answer in usable if answer.error]
    if broken or not usable:
        raise DnsError(
            "not every authoritative name server answers",
            host="operator",
            expected=f"an authoritative answer for {context.plan.mail_host} from each",
            seen="; ".join(f"{answer.server}: {answer.error}" for answer in broken) or "no server was found",
            advice="mend the server or the delegation, or name the right servers in dns.nameservers",
        )
    return usable


def idle_troubles(plan: Plan, answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers without records that say nothing about the move: a server's for AAAA, which gives the A well.

    There are many such servers (RFC 4074): they give SERVFAIL, NXDOMAIN, no authority or nothing at all. There are none
    where a host of the plan has an IPv6 address, or a server knows one: the AAAA then has to be known.
    """
    addresses = (*plan.old.addresses, *plan.new.addresses)
    if any(ipaddress.ip_address(address).version == 6 for address in addresses):
        return ()
    if any(answer.rdtype == "AAAA" and answer.addresses for answer in answers):
        return ()
    good = {answer.server for answer in answers if answer.rdtype == "A" and answer.addresses}
    return tuple(
        answer for answer in answers if answer.error and answer.rdtype == "AAAA" and answer.server in good
    )


def records(context: Context) -> tuple[AddressSet, ...]:
    """Return the mail host's address records, each type with the highest TTL that a server gives.

    Raises Refused where the servers contradict each other or know no address, DnsError as `answers`.
    """
    sets: dict[str, AddressSet] = {}
    for answer in answers(context):
        if answer.ttl is None or not answer.addresses:
            continue
        known = sets.get(answer.rdtype)
        if known is not None and known.addresses != answer.addresses:
            raise Refused(
                f"the authoritative servers contradict each other about {context.plan.mail_host}",
                host="operator",
                expected=f"{answer.rdtype} {' '.join(known.addresses)} everywhere",
                seen=f"{answer.server} says {' '.join(answer.addresses)}",
                advice="bring the zone's servers into step first (serial, NOTIFY, transfers)",
            )
        ttl = max(answer.ttl, known.ttl if known else 0)
        sets[answer.rdtype] = AddressSet(answer.rdtype, answer.addresses, ttl)
    if not sets:
        raise Refused(
            f"{context.plan.mail_host} has no address record",
            host="operator",
            advice="put the name whose address record moves into migration.mail_host",
        )
    return tuple(sets[rdtype] for rdtype in sorted(sets))


def settled_records(context: Context) -> tuple[AddressSet, ...]:
    """Return the records as `records` does, once all servers say the same: one may still be taking a change over.

    Raises NotReady where they contradict each other for longer than SETTLE.
    """

    def contradiction() -> str:
        known: dict[str, set[tuple[str, ...]]] = {}
        for answer in answers(context):
            known.setdefault(answer.rdtype, set()).add(answer.addresses)
        return "; ".join(
            f"{rdtype}: {' or '.join(' '.join(one) or 'none' for one in sorted(given))}"
            for rdtype, given in known.items()
            if len(given) > 1
        )

    settle(context, contradiction, expected="the same answer from every authoritative server")
    return records(context)


def moved(context: Context, before: Sequence[AddressSet], ttl: int) -> tuple[AddressSet, ...]:
    """Given the records as they are, return them naming the new host alone: a type it has no address of is emptied."""
    wanted = address_sets(context.plan.new.addresses, ttl)
    types = {one.rdtype for one in wanted}
    emptied = tuple(AddressSet(one.rdtype, (), ttl) for one in before if one.rdtype not in types)
    return (*wanted, *emptied)


def address_sets(addresses: Sequence[str], ttl: int) -> tuple[AddressSet, ...]:
    """Given addresses of both families, return the record sets that hold them."""
    found: dict[Literal["A", "AAAA"], list[str]] = {}
    for address in addresses:
        found.setdefault("A" if ipaddress.ip_address(address).version == 4 else "AAAA", []).append(address)
    return tuple(AddressSet(rdtype, tuple(sorted(found[rdtype])), ttl) for rdtype in sorted(found))


def still_old(context: Context) -> bool:
    """Return whether the name leads to the old host and no run has moved it: only a dry run looks further then."""
    old = address_sets(context.plan.old.addresses, 0)
    return CACHED not in context.memory and not same_addresses(context, old)


def with_ttl(records_: AddressSet, ttl: int) -> AddressSet:
    """Return the same records with another TTL in seconds."""
    return replace(records_, ttl=ttl)


def same_addresses(context: Context, wanted: Sequence[AddressSet]) -> str:
    """Return what is not as wanted at some authoritative server, "" where every one has just these addresses."""
    expected = {one.rdtype: tuple(sorted(one.addresses)) for one in wanted}
    return "; ".join(
        f"{answer.server} gives {answer.rdtype} {' '.join(answer.addresses) or 'nothing'}"
        for answer in answers(context)
        if tuple(sorted(answer.addresses)) != expected.get(answer.rdtype, ())
    )


def settle(context: Context, complaint: Callable[[], str], *, expected: str) -> None:
    """Ask until there is nothing to complain of, for SETTLE at most. Raises NotReady with what is still not so."""
    waited = 0  # seconds, counted: a clock can jump
    while seen := complaint():
        if waited >= SETTLE.total_seconds():
            raise NotReady(
                "the authoritative name servers have not all taken the change over",
                host="operator",
                expected=expected,
                seen=seen,
                advice="see that the second servers are notified and may transfer the zone",
            )
        context.sleep(1.0)
        waited += 1


def by_hand(name: str, sets: Sequence[AddressSet], *, command: str = "this command") -> str:
    """Return what an operator enters at the DNS provider, one record a line, in the form of a zone file."""
    lines = [
        f"{name}. {one.ttl} IN {one.rdtype} {address}" for one in sets for address in sorted(one.addresses)
    ]
    lines += [f"delete every {one.rdtype} record of {name}." for one in sets if not one.addresses]
    return f"enter at the DNS provider, and run {command} again:\n" + "\n".join(lines)


def duration(seconds: int) -> str:
    """Return seconds as a plan writes them: 90s, 15m, 48h."""
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
