"""The TTL of the mail host's address records goes down long before the records change."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, DnsUpdate, Note, Undo
from migrator.errors import NotReady, VerifyFailed
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import clock, zone


class LowerTtl(Step):
    """Lower the TTL of the mail host's address records, and note since when it is low."""

    name = "lower-ttl"
    phase = Phase.PREPARE
    after = "survey"
    attempts = 2

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the lowering where it is needed, with the records as they were as its undo.

        Raises NotReady with the records to enter where the DNS is kept by hand.
        """
        plan = context.plan
        lowered = int(plan.dns.ttl.total_seconds())
        before = zone.records(context)
        highest = max(one.ttl for one in before)
        if "ttl.highest" not in context.memory:
            yield Change(
                f"the TTL of {plan.mail_host} is {zone.duration(highest)} at most, noted",
                Note(),
                Undo.NOT_NEEDED,
                {"ttl.highest": str(highest)},
            )
        if highest > lowered:
            after = tuple(zone.with_ttl(one, min(one.ttl, lowered)) for one in before)
            if plan.dns.update == "manual":
                raise NotReady(
                    f"the TTL of {plan.mail_host} is {zone.duration(highest)}, and is to be "
                    f"{zone.duration(lowered)}",
                    advice=zone.by_hand(plan.mail_host, after),
                )
            yield Change(
                f"lower the TTL of {plan.mail_host} from {zone.duration(highest)} to {zone.duration(lowered)}",
                DnsUpdate(plan.mail_host, after),
                DnsUpdate(plan.mail_host, before),
            )
        if "ttl.low_since" not in context.memory and not _too_high(context, lowered):
            yield Change(
                f"the TTL of {plan.mail_host} is low from now on, noted",
                Note(),
                Undo.NOT_NEEDED,
                {"ttl.low_since": clock.agreed(context).isoformat()},
            )

    def verify(self, context: Context) -> None:
        """Ask every authoritative server. Raises NotReady while one of them still gives the old TTL."""
        lowered = int(context.plan.dns.ttl.total_seconds())
        expected = f"a TTL of {lowered} s at most at every authoritative server"
        zone.settle(context, lambda: _too_high(context, lowered), expected=expected)
        if "ttl.low_since" not in context.memory:
            # A second server took a moment; only now is the time when the last one became low.
            raise VerifyFailed("the time since when the TTL is low is not noted yet", expected=expected)


def _too_high(context: Context, lowered: int) -> str:
    return "; ".join(
        f"{answer.server} gives {answer.rdtype} with a TTL of {answer.ttl} s"
        for answer in zone.answers(context)
        if answer.ttl is not None and answer.ttl > lowered
    )
