"""The cutover begins only when caches are dry and the maintenance window is open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from migrator.change import Change
from migrator.errors import NotReady
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import clock

EARLY = "early"
"""The word of --force that lets the cutover begin before the old TTL has run out."""


class Wait(Step):
    """Wait until the old TTL has run out everywhere, and for the maintenance window."""

    name = "wait"
    phase = Phase.PRESYNC
    after = "presync"

    def ready(self, context: Context) -> None:
        """Raise NotReady with the time from which the cutover may begin."""
        now = clock.agreed(context)
        if EARLY not in context.force:
            _expect_dry_caches(context, now)
        expect_window(context, now)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield nothing: time is all that is missing."""
        yield from ()

    def verify(self, context: Context) -> None:
        """Nothing was done, so there is nothing to measure."""


def expect_window(context: Context, now: datetime) -> None:
    """Raise NotReady where the maintenance window, if there is one, is not open at `now`."""
    window = context.plan.cutover.window
    if window is None:
        return
    if now < window.start:
        opens = f"the maintenance window opens at {window.start.isoformat()}"
        raise NotReady(opens, until=clock.here(context, window.start, now))
    if now >= window.end:
        raise NotReady(
            f"the maintenance window has closed at {window.end.isoformat()}",
            advice="give cutover.window a new time and run again with --accept-plan-change",
        )


def dry_at(context: Context) -> datetime | None:
    """Return when no cache can hold the address with its old TTL any more; None where its lowering is not noted."""
    since = context.memory.get("ttl.low_since")
    if since is None:
        return None
    highest = timedelta(seconds=int(context.memory.get("ttl.highest", "0")))
    return datetime.fromisoformat(since) + max(context.plan.dns.lead, highest)


def _expect_dry_caches(context: Context, now: datetime) -> None:
    until = dry_at(context)
    if until is None:
        raise NotReady("the TTL of the mail host is not low yet", advice="see the step lower-ttl")
    if now < until:
        raise NotReady(
            f"resolvers may hold the old address with its old TTL until {until.isoformat(timespec='seconds')}",
            until=clock.here(context, until, now),
            advice=f"run again then (or with --wait); --force {EARLY} does not wait",
        )
