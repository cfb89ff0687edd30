"""The mail host's name gets the new host's addresses."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import AddressSet, Change, DnsUpdate, Note, Undo
from migrator.errors import NotReady
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import zone
from migrator.steps.common.opening import CACHED


class MoveDns(Step):
    """Point the mail host's address records at the new host."""

    name = "move-dns"
    phase = Phase.CUTOVER
    after = {"hold": "open-new", "firewall": "drain"}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the update, with the records as they were as its undo.

        Raises NotReady with the records to enter where the DNS is kept by hand.
        """
        plan = context.plan
        before = zone.settled_records(context)
        after = zone.moved(context, before, int(plan.dns.ttl.total_seconds()))
        if not zone.same_addresses(context, after):
            return
        cached = {CACHED: str(int(plan.dns.ttl.total_seconds()))}
        if plan.dns.update == "manual":
            if CACHED not in context.memory:
                yield Change("from now on the name may lead to the new host", Note(), Undo.NOT_NEEDED, cached)
            raise NotReady(
                f"{plan.mail_host} still names the old host",
                host="operator",
                expected=_words(after),
                seen=_words(before),
                advice=zone.by_hand(plan.mail_host, after),
            )
        yield Change(
            f"point {plan.mail_host} at {' and '.join(plan.new.addresses)}",
            DnsUpdate(plan.mail_host, after),
            DnsUpdate(plan.mail_host, before),
            cached,
        )

    def can_go_back(self, context: Context) -> bool:
        """Return whether a program changes the records; those of a person may name the new host, which would open."""
        return context.plan.dns.update != "manual"

    def verify(self, context: Context) -> None:
        """Ask every authoritative server. Raises NotReady while one of them still names the old host."""
        wanted = zone.moved(context, (), 0)
        zone.settle(
            context,
            lambda: zone.same_addresses(context, wanted),
            expected=f"{context.plan.mail_host} at {' and '.join(context.plan.new.addresses)} everywhere",
        )


def _words(sets: tuple[AddressSet, ...]) -> str:
    return "; ".join(f"{one.rdtype} {' '.join(one.addresses) or 'none'}" for one in sets)
