"""What the old host held goes to the new one, and is accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator import host_text
from migrator.change import Change, Note, Shell, Undo
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import holding, hung, late, leaving, reaching, waiting
from migrator.steps.common.opening import FLOWS, PASSABLE
from migrator.steps.common.recipient import recipient_of

RUN = 540
"""Seconds that one part of a run may take."""
FIRST = 10
"""How many messages are tried first: mail no longer waits once one of them was delivered."""
APART = "flush.apart"


class Flush(Step):
    """Deliver what the old host queued for the domains, and see that nothing of it is left."""

    name = "flush"
    phase = Phase.CUTOVER
    after = {"hold": "open-to-old", "firewall": "open-old"}
    attempts = 20  # a message that is deferred once would wait for the next run of the queue by itself
    reopens = ("mail",)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield runs over what waits, without what hangs, what left by them, and a note of what no run delivers."""
        yield from late.learned(context)
        found = waiting.for_domains(context)
        released = False
        for change in holding.taken_now(context, found):
            yield change
            released = True
        if released:
            found = waiting.for_domains(context)
        before = waiting.queued(found)
        if before:
            for change in holding.held(context, before):
                yield change
                kept = set(host_text.words(change.remember[holding.HELD]))
                before = tuple(message for message in before if message.id not in kept)
        if before and context.attempt > 1:
            yield from hung.ended(context, "old", before)
        parts = _parts(before)
        for number, part in enumerate(parts, 1):
            forget = waiting.purge(context) if number == 1 else ""
            yield Change(
                f"try {len(part)} of the {len(before)} messages that the old host queued",
                Shell("old", f"{forget}{_run(part)}", timeout=RUN),
                Undo.NOT_NEEDED,
            )
            if number in (1, len(parts)):
                yield from _left(context, part if number == 1 else before)
        if before and context.attempt > 1 and not _flows(context):
            yield from _passable(context)
        apart = tuple(
            message for message in found if message.kind != "queued" and not holding.is_kept(context, message)
        )
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

    def can_go_back(self, context: Context) -> bool:
        """Return whether the new host was not seen to take mail yet; once it does, going on is what loses least."""
        return not _flows(context)


def _flows(context: Context) -> bool:
    return FLOWS in context.memory or PASSABLE in context.memory


def _parts(messages: Sequence[QueuedMessage]) -> list[Sequence[QueuedMessage]]:
    """Return the messages in the parts that are tried in turn: few first, for they tell whether any leave."""
    size = waiting.AT_ONCE
    rest = [messages[start : start + size] for start in range(FIRST, len(messages), size)]
    return [messages[:FIRST], *rest] if messages else []


def _run(part: Sequence[QueuedMessage]) -> str:
    # In the foreground (-qf, sendmail(8)), or the look after it would be one at a run that has just begun.
    return waiting.run_of(part).replace("sendmail ", "sendmail -qf ")


def _left(context: Context, tried: Sequence[QueuedMessage]) -> Iterator[Change]:
    """Yield a note of what left, and when the first did; nothing where all still wait, which `verify` tells."""
    now = context.now().isoformat()
    found = leaving.left(context, "old", tried)
    if found.gone:
        since = {FLOWS: now} if found.delivered and FLOWS not in context.memory else {}
        yield Change(found.words("old"), Note(), Undo.NOT_NEEDED, since)


def _passable(context: Context) -> Iterator[Change]:
    """Yield a note where the new host takes mail from the old one all the same: what waits has reasons of its own."""
    recipient = recipient_of(context)
    taken = [one for one in reaching.reached(context, "old", recipient=recipient) if one.taken]
    if taken:
        yield Change(
            f"the new host takes mail for {recipient} from the old one ({taken[0]}): what still waits has reasons "
            "of its own",
            Note(),
            Undo.NOT_NEEDED,
            {PASSABLE: context.now().isoformat()},
        )
