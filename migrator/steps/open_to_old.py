"""The copy is verified: the new host takes mail from the old one first."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.hosts import boot, daemon
from migrator.net.firewall import CLOSED, PortState, checked_addresses
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import daemons, holding, port, reaching, waiting
from migrator.steps.common.at_once import at_once
from migrator.steps.common.opening import note_opened


class OpenToOld(Step):
    """Start Sendmail on the new host and open its port 25 to the old host alone; to all after cutover.max_closed."""

    name = "open-to-old"
    phase = Phase.CUTOVER
    after = {"hold": "final-copy"}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield what is kept back for the new host would refuse it, and the opening.

        From here on the new host holds mail of its own, which a rollback brings home.
        """
        allowed = from_old(context)
        (state, running), waits = at_once(lambda: _look(context), lambda: waiting.for_domains(context))
        if state.allowed == allowed and running.listeners:
            return
        # Before: from the opening on any run of the old host's queue may hand on what is refused, and return it.
        yield from holding.foreseen(context, waiting.queued(waits))
        script = (
            port.reopen_later(context, "new")
            + port.close(context, "new", allowed)
            + boot.release(context.plan.name)
            + daemon.start(context.facts("new"))
        )
        closed = port.close_shown(context, "new", allowed)
        shown = f"{port.later_shown(context)}\n{closed}\n{boot.RELEASE_SHOWN}\n{daemon.START_SHOWN}"
        yield Change(
            f"start Sendmail on the new host, open to the old one only ({' '.join(allowed)})",
            Shell("new", port.prepared(context, script), shown=shown),
            # close-new undoes it by opening the port to all.
            Undo.NOT_NEEDED,
            note_opened(context),
        )

    def verify(self, context: Context) -> None:
        """Measure firewall and listener, and connect from the old host. Raises VerifyFailed where it cannot get in."""
        state, running, answers = at_once(
            lambda: port.state(context, "new"),
            lambda: daemons.running(context.new),
            lambda: reaching.reached(context, "old"),
        )
        if state.word == CLOSED:
            port.expect_seen(state, "new", PortState(CLOSED, from_old(context)))
        if not running.listeners:
            raise VerifyFailed(
                "Sendmail does not run on the new host",
                host="new",
                expected="a process that accepts connections on port 25",
                seen="none",
                advice="start it by hand, see what its log says, and run this again",
            )
        reaching.expect_reached(context, "old", answers)


def _look(context: Context) -> tuple[PortState, daemons.Running]:
    return at_once(lambda: port.state(context, "new"), lambda: daemons.running(context.new))


def from_old(context: Context) -> tuple[str, ...]:
    """Return every address that the old host may come from, in canonical form."""
    facts = context.facts("old")
    return checked_addresses(filter(None, (*context.plan.old.addresses, facts.source, *facts.addresses)))
