"""What the old host held goes to the new one, and is accounted for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change, Note, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import waiting

RUN = 540
"""Seconds that one run of the queue may take."""
PATIENCE = 20
"""Seconds given to the messages that waited before the queue is run once more."""
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
        if _queued(found):
            yield Change(
                f"deliver {len(_queued(found))} messages that the old host queued",
                Shell("old", _flush(context), timeout=RUN),
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
        first = {message.id for message in _queued(waiting.for_domains(context))}
        end = context.now().timestamp() + PATIENCE
        while left := [one for one in _queued(waiting.for_domains(context)) if one.id in first]:
            if context.now().timestamp() >= end:
                raise VerifyFailed(
                    f"{len(left)} messages for the domains stay in the old host's queue",
                    host="old",
                    expected="no message for the domains that has waited all the time",
                    seen=waiting.words(left),
                    advice="mend the reason, then run this again: the old host keeps them and goes on trying",
                )
            context.sleep(1.0)


def _queued(messages: tuple[QueuedMessage, ...]) -> tuple[QueuedMessage, ...]:
    return tuple(message for message in messages if message.kind == "queued")


def _flush(context: Context) -> str:
    configuration = parse_cf(context.facts("old").cf)
    purge = ""
    if status := configuration.host_status_directory:
        folder = status if status.startswith("/") else f"{configuration.queue_directory}/{status}"
        # It remembers that the new host refused connections, and would keep it from being tried.
        purge = f"if [ -d {shlex.quote(folder)} ]; then find {shlex.quote(folder)} -type f -delete; fi\n"
    # Only messages for the domains, however young they are and however busy the host: a run over all of a queue
    # with dead destinations takes hours.
    runs = (
        f"sendmail -OMinQueueAge=0 -OQueueLA=1000 -qR{shlex.quote('@' + domain)}\n"
        for domain in context.plan.domains
    )
    return purge + "".join(runs)
