"""Processes that still hold the earlier configuration can deliver to a mailbox after it was copied."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.errors import StartOver
from migrator.net.firewall import CLOSED
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import port
from migrator.steps.common.draining import drained, expect_drained
from migrator.steps.relay import GENERATIONS


class Drain(Step):
    """Let every session and delivery end that began before the switch."""

    name = "drain"
    phase = Phase.CUTOVER
    after = {"hold": "relay", "firewall": "close-old"}
    attempts = 5  # a session of before may start a delivery while it is waited for

    def ready(self, context: Context) -> None:
        """Raise StartOver where the old host's port has opened by its timer: sessions would never end."""
        if context.plan.cutover.strategy == "firewall":
            expect_old_closed(context)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the waits that are needed."""
        yield from drained(context, "old", earlier=_earlier(context))

    def verify(self, context: Context) -> None:
        """Look at the old host's processes and queue anew. Raises VerifyFailed naming what is left."""
        expect_drained(context, "old", earlier=_earlier(context))


def _earlier(context: Context) -> str | None:
    return GENERATIONS if context.plan.cutover.strategy == "hold" else None


def expect_old_closed(context: Context) -> None:
    """Raise StartOver where the old host takes mail again: its timer went off, or it was rebooted."""
    if port.state(context, "old").word != CLOSED:
        raise StartOver(
            "the old host takes mail again, for cutover.max_closed has passed since it was closed",
            step="close-old",
            host="old",
            expected="port 25 closed until the relay is loaded",
            seen="port 25 is open",
        )
