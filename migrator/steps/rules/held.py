"""The rule about mail that no run of the old host's queue delivers: only a person can release it, better days ahead."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.sendmail.text_error import TextError
from migrator.steps.common import waiting
from migrator.steps.common.at_once import at_once
from migrator.steps.common.draining import HELD_MAIL
from migrator.steps.rules.finding import Both, Finding


def held(both: Both) -> Iterator[Finding]:
    """Warn of quarantined and lost messages that end in the old host's own mailboxes, or are for the plan's domains.

    The first kind ends a run at `catch-up`; the second stays behind in the old host's queue.
    """
    context, old = both.context, both.old
    try:
        staying, moving = at_once(lambda: waiting.staying(context), lambda: waiting.for_domains(context))
    except TextError:
        return  # a queue that cannot be read is told by `queuereturn`
    found = {one.id: one for one in (*staying, *moving) if one.kind != "queued"}
    if not found:
        yield old.passed(HELD_MAIL, "no message for its mailboxes is quarantined or lost in its queue")
        return
    yield old.warned(
        HELD_MAIL,
        f"{len(found)} messages are quarantined or lost in its queue, and no run of it delivers them: "
        f"{waiting.recipients_of(tuple(found.values()))}",
        "release them there before the cutover (`sendmail -Q -qQ`, then `sendmail -q`; a Qf file is one that Sendmail "
        "gave up: see its log), or delete them",
    )
