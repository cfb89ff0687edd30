"""Rules about how long mail may wait on the old host: what hold keeps there must not be returned to its senders."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.steps.common import patience
from migrator.steps.rules.finding import Both, Finding


def queuereturn(both: Both) -> Iterator[Finding]:
    """Fail where mail is returned, or was queued so long ago that it is, within the time for which it may be held.

    Warn of what a run would meet that stops while mail waits and goes on a day later, and of warnings to senders.
    """
    context, old = both.context, both.old
    held = patience.longest(context.plan)
    times = patience.known(context)
    shown = (
        f"mail is returned after {patience.time(times.shortest)}, and may be held for {patience.time(held)}"
    )
    found = patience.expiring(context, max(held, patience.NIGHT))
    soon = [one for one in found if one.left <= held]
    if times.shortest <= held:
        yield old.failed(patience.QUEUERETURN, shown, patience.CURE)
    elif soon:
        yield old.failed(patience.QUEUERETURN, patience.words(soon), patience.CURE_OF_OLD)
    elif times.shortest < patience.NIGHT:
        text = f"{shown}; a run that stops meanwhile has to be found in that time"
        yield old.warned(patience.QUEUERETURN, text, patience.CURE)
    elif found:
        yield old.warned(patience.QUEUERETURN, patience.words(found), patience.CURE_OF_OLD)
    else:
        yield old.passed(patience.QUEUERETURN, shown)
    if times.first_warning is not None and times.first_warning <= held:
        text = f"senders are told after {patience.time(times.first_warning)} that their mail still waits"
        yield old.warned("queuewarn", text, "give confTO_QUEUEWARN 4h, or tell them before")
