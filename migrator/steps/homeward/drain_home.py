"""What the new host had begun before it relayed ends there, and what it had queued goes to the old one."""

from __future__ import annotations

from collections.abc import Iterator

from migrator import host_text
from migrator.change import Change, Shell, Undo
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import holding, hung, waiting
from migrator.steps.common.draining import drained, expect_drained
from migrator.steps.common.opening import opened
from migrator.steps.homeward.relay_home import GENERATIONS

RUN = 540
"""Seconds that one run of the queue may take."""


class DrainHome(Step):
    """Let sessions and deliveries of before end on the new host, and send what it queued to the old one."""

    name = "drain-home"
    phase = Phase.HOME
    after = "relay-home"
    attempts = 10  # a message that is deferred once is tried again

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the waits, what is kept back for the old host would refuse it, and a run of the new host's queue.

        The run forks (-qf would not): its messages may have recipients at dead servers as well. `verify` waits for
        those of the domains to leave.
        """
        if not opened(context):
            return
        yield from holding.released(context)
        yield from drained(context, "new", earlier=GENERATIONS)
        found = waiting.queued(waiting.for_domains(context, "new"))
        kept: set[str] = set()
        if found:
            for change in holding.held(context, found, "new"):
                yield change
                kept.update(host_text.words(change.remember[holding.HELD_HOME]))
        if found := tuple(message for message in found if message.id not in kept):
            if context.attempt > 1:
                yield from hung.ended(context, "new", found)
            yield Change(
                f"deliver {len(found)} messages that the new host queued",
                Shell("new", waiting.run_for_domains(context, "new"), timeout=RUN),
                Undo.NOT_NEEDED,
            )

    def verify(self, context: Context) -> None:
        """Look at the new host's processes and queue anew. Raises VerifyFailed naming what is left."""
        if not opened(context):
            return
        expect_drained(context, "new", earlier=GENERATIONS)
        waiting.expect_leaving(context, "new")
