"""What the old host held goes to the new one, and is accounted for."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Note, Shell, Undo
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import waiting

RUN = 540
"""Seconds that one run of the queue may take."""
APART = "flush.apart"


class Flush(Step):
    """Deliver what the old host queued for the domains, and see that nothing of it is left."""

    name = "flush"
    phase = Phase.CUTOVER
    after = {"hold": "open-to-old", "firewall": "open-old"}
    attempts = 20  # a message that is deferred once would wait for the next run of the queue by itself

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield a run of the queue, and a note of what no run of a queue delivers."""
        found = waiting.for_domains(context)
        if waiting.queued(found):
            yield Change(
                f"deliver {len(waiting.queued(found))} messages that the old host queued",
                Shell("old", waiting.run_for_domains(context), timeout=RUN),
                Undo.NOT_NEEDED,
            )
        apart = tuple(message for message in found if message.kind != "queued")
        if apart and APART not in context.memory:
            yield Change(
                f"by hand: {len(apart)} messages for the domains are quarantined or lost in the old host's queue; "
                f"release them there (sendmail -qQ -Q): {waiting.words(apart)}",
                Note(),
                Undo.NOT_NEEDED,
                {APART: str(len(apart))},
            )

    def verify(self, context: Context) -> None:
        """See that each message that waits now leaves. Raises VerifyFailed naming those that stay, and why."""
        waiting.expect_leaving(context)
