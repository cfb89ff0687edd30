"""A cutover that opened the new host is undone by itself: first of all that host takes nothing any more."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Note, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.hosts import boot, daemon
from migrator.net.firewall import CLOSED, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import daemons, port, waiting
from migrator.steps.common.at_once import at_once
from migrator.steps.common.draining import LONGEST, PATIENCE
from migrator.steps.common.opening import opened

RUN = 540
"""Seconds that one run of the new host's queue may take."""

_CLOSED = "close-again.closed"
_STAYING = "close-again.staying"


class CloseAgain(Step):
    """Close port 25 of the new host again, deliver what it took to its mailboxes, and stop its Sendmail."""

    name = "close-again"
    phase = Phase.HOME
    after = ""

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the closing, the end of what is open, and the stop; `close-new` undoes both, at the end of the way."""
        if not opened(context):
            return
        if _CLOSED not in context.memory or port.state(context, "new") != PortState(CLOSED):
            yield Change(
                "close port 25 of the new host again",
                Shell(
                    "new",
                    port.prepared(context, port.no_timer(context) + port.close(context, "new")),
                    shown=port.close_shown(context, "new"),
                ),
                Undo.NOT_NEEDED,
                {_CLOSED: "yes"},
            )
        if unfinished := daemons.running(context.new).unfinished:
            yield Change(
                f"let {len(unfinished)} sessions and deliveries end on the new host",
                Shell(
                    "new",
                    daemons.end_script(unfinished, patience=PATIENCE, longest=LONGEST),
                    timeout=LONGEST + 60,
                    shown=f"wait for {daemons.words(unfinished)}",
                ),
                Undo.NOT_NEEDED,
            )
        yield from _deliver(context)
        facts = context.facts("new")
        if daemons.running(context.new).listeners:
            yield Change(
                "stop Sendmail on the new host again",
                Shell(
                    "new",
                    port.prepared(context, boot.hold(context.plan.name) + daemon.stop(facts)),
                    shown=f"{boot.HOLD_SHOWN}\n{daemon.STOP_SHOWN}",
                ),
                Undo.NOT_NEEDED,
            )

    def verify(self, context: Context) -> None:
        """Measure the firewall and what runs. Raises VerifyFailed where the new host could still take mail."""
        if not opened(context):
            return
        state, running = at_once(lambda: port.state(context, "new"), lambda: daemons.running(context.new))
        port.expect_seen(state, "new", PortState(CLOSED))
        if left := (*running.listeners, *running.unfinished):
            raise VerifyFailed(
                "Sendmail still runs on the new host",
                host="new",
                expected="no process that could still take or deliver mail there",
                seen=daemons.words(left),
                advice="stop it by hand, then run this again",
            )


def _deliver(context: Context) -> Iterator[Change]:
    """Yield a run over what the new host took and did not deliver yet, and a note of what it cannot deliver."""
    looks = (*waiting.for_domains(context, "new"), *waiting.for_own_mailboxes(context, "new"))
    found = tuple({one.id: one for one in waiting.queued(looks)}.values())
    if not found:
        return
    yield Change(
        f"try {len(found)} messages that the new host queued",
        Shell("new", waiting.run_of(found).replace("sendmail ", "sendmail -qf "), timeout=RUN),
        Undo.NOT_NEEDED,
    )
    staying = waiting.queued(waiting.for_domains(context, "new"))
    if staying and _STAYING not in context.memory:
        yield Change(
            f"{len(staying)} messages stay in the new host's queue, which goes on trying them: "
            f"{waiting.words(staying)}",
            Note(),
            Undo.NOT_NEEDED,
            {_STAYING: str(len(staying))},
        )
