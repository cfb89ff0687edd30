"""The mail host's name leads to the old host again."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import AddressSet, Change, Note, Undo
from migrator.errors import NotReady
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import zone
from migrator.steps.common.opening import CACHED

SINCE = "names-home.since"
"""Where it is remembered since when (ISO 8601) every authoritative server names the old host."""


class NamesHome(Step):
    """See that every authoritative server names the old host again, and ask for it where the DNS is kept by hand."""

    name = "names-home"
    phase = Phase.HOME
    after = "bring-home"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield a note of when the name was back. Raises NotReady with the records to enter by hand until it is."""
        if CACHED not in context.memory or SINCE in context.memory:
            return
        wanted = _wanted(context)
        if context.plan.dns.update == "manual":
            if seen := zone.same_addresses(context, wanted):
                raise NotReady(
                    f"{context.plan.mail_host} still names the new host",
                    host="operator",
                    expected=" and ".join(context.plan.old.addresses),
                    seen=seen,
                    advice=zone.by_hand(context.plan.mail_host, wanted, command="migrate rollback"),
                )
        else:
            zone.settle(
                context,
                lambda: zone.same_addresses(context, wanted),
                expected=f"{context.plan.mail_host} at {' and '.join(context.plan.old.addresses)} everywhere",
            )
        yield Change(
            f"{context.plan.mail_host} names the old host at every authoritative server",
            Note(),
            Undo.NOT_NEEDED,
            {SINCE: context.now().isoformat()},
        )

    def verify(self, context: Context) -> None:
        """Nothing was done: what was measured is what was noted."""


def _wanted(context: Context) -> tuple[AddressSet, ...]:
    plan = context.plan
    sets = zone.address_sets(plan.old.addresses, int(plan.dns.ttl.total_seconds()))
    types = {one.rdtype for one in sets}
    emptied = [
        AddressSet(one.rdtype, (), one.ttl)
        for one in zone.address_sets(plan.new.addresses, 0)
        if one.rdtype not in types
    ]
    return (*sets, *emptied)
