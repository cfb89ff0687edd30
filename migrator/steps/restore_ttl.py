"""The TTL goes up again, so that resolvers keep the new address."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, DnsUpdate, Note, Undo
from migrator.errors import VerifyFailed
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import zone
from migrator.steps.common.opening import CACHED


class RestoreTtl(Step):
    """Raise the TTL of the mail host's address records again."""

    name = "restore-ttl"
    phase = Phase.FINISH
    after = "redirect-webmail"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the update; by hand, a note of what to enter: nothing waits for it."""
        plan = context.plan
        wanted = int(plan.dns.restore_ttl.total_seconds())
        before = zone.records(context)
        after = tuple(zone.with_ttl(one, wanted) for one in before)
        if zone.still_old(context):  # a dry run shows what the name will lead to by then
            after = zone.moved(context, before, wanted)
        if before == after:
            return
        if plan.dns.update == "manual":
            if self.name not in context.memory:
                text = f"by hand: {zone.by_hand(plan.mail_host, after)}".replace(
                    ", and run this command again", ""
                )
                yield Change(text, Note(), Undo.NOT_NEEDED, {self.name: "by hand", CACHED: str(wanted)})
            return
        yield Change(
            f"raise the TTL of {plan.mail_host} to {zone.duration(wanted)}",
            DnsUpdate(plan.mail_host, after),
            DnsUpdate(plan.mail_host, before),
            {CACHED: str(wanted)},
        )

    def verify(self, context: Context) -> None:
        """Ask every authoritative server. Raises VerifyFailed where the address is not the new host's any more."""
        if seen := zone.same_addresses(context, zone.moved(context, (), 0)):
            raise VerifyFailed(
                f"{context.plan.mail_host} does not name the new host",
                host="operator",
                expected=" and ".join(context.plan.new.addresses),
                seen=seen,
                advice="see who changed the zone",
            )
