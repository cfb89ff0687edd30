"""The new host takes no mail until the copy is verified."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.hosts import boot, daemon
from migrator.net.firewall import CLOSED, PortState
from migrator.steps.base import Context, Phase, Question, Step
from migrator.steps.common import clock, daemons, forecasting, patience, port, reaching
from migrator.steps.common.at_once import at_once
from migrator.steps.wait import expect_window

LONGEST = 540
"""Seconds after which a delivery on the new host that does not end is reported."""


WAITED = "close-new.waited"
"""Where the sessions and deliveries are remembered that were open when the port was closed."""


class CloseNew(Step):
    """Close port 25 of the new host and stop its Sendmail, boots included: mail of its own would be overwritten."""

    name = "close-new"
    phase = Phase.CUTOVER
    after = "catch-up"

    def ready(self, context: Context) -> None:
        """Raise Refused where the old host is kept out of the port that is still open: it could deliver nothing."""
        reaching.refuse_kept_out(context)

    def question(self, context: Context) -> Question:
        """Return what is predicted of the cutover. Raises Refused beyond the budget, StartOver for an old pass.

        Raises Refused also where mail that waits would be returned to its senders while it is held.

        Raises NotReady where the maintenance window has closed since `wait` passed it: a copy that took long, or a run
        that was stopped and goes on the next morning, must not move mail then.
        """
        if context.plan.cutover.window:
            expect_window(context, clock.agreed(context))
        told, _ = at_once(
            lambda: forecasting.question(context, "catch-up"), lambda: patience.expect_time(context)
        )
        return told

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the closing, the stop of the daemon, so that its queue waits too, and a wait for its children."""
        facts = context.facts("new")
        found, seen, starting = _look(context)
        if found != PortState(CLOSED) or seen.listeners or seen.bridges or starting:
            # A timer that opens it may still run, of a cutover that was taken back.
            closed_for_good = port.no_timer(context) + port.close(context, "new")
            closing = boot.hold(context.plan.name) + closed_for_good + daemon.stop(facts)
            closed = port.close_shown(context, "new")
            opening = boot.release(context.plan.name) + daemon.start(facts) + _opening(context)
            yield Change(
                "close port 25 of the new host and stop its Sendmail",
                Shell(
                    "new",
                    port.prepared(context, closing),
                    shown=f"{boot.HOLD_SHOWN}\n{closed}\n{daemon.STOP_SHOWN}",
                ),
                Shell(
                    "new",
                    port.prepared(context, opening),
                    shown=f"{boot.RELEASE_SHOWN}\n{daemon.START_SHOWN}\n{port.REOPEN_SHOWN}",
                ),
            )
        left = daemons.running(context.new).unfinished if WAITED not in context.memory else ()
        if left:
            script = daemons.end_script(left, patience=0, longest=LONGEST)
            yield Change(
                f"let {len(left)} sessions and deliveries end on the new host",
                Shell("new", script, timeout=LONGEST + 60, shown=f"wait for {daemons.words(left)}"),
                Undo.NOT_NEEDED,
                {WAITED: daemons.named(left)},
            )

    def verify(self, context: Context) -> None:
        """Measure the firewall, the listener and what a boot starts. Raises VerifyFailed where mail could come in."""
        state, found, starting = _look(context)
        port.expect_seen(state, "new", PortState(CLOSED))
        if running := (
            *found.listeners,
            *found.bridges,
            *daemons.remaining(found.all, context.memory.get(WAITED, "")),
        ):
            raise VerifyFailed(
                "Sendmail still runs on the new host",
                host="new",
                expected="no process that could still deliver to a mailbox there",
                seen=daemons.words(running),
                advice="stop it by hand and see what starts it again",
            )
        if starting:
            raise VerifyFailed(
                "a reboot of the new host would start Sendmail",
                host="new",
                expected="nothing that starts Sendmail at boot before the copy is verified",
                seen=starting,
                advice="see what enables it again, and run this again",
            )


def _look(context: Context) -> tuple[PortState, daemons.Running, str]:
    """Return what the new host's firewall does to port 25, which Sendmail runs, and by what a boot starts it."""
    return at_once(
        lambda: port.state(context, "new"),
        lambda: daemons.running(context.new),
        lambda: port.starts_at_boot(context),
    )


def _opening(context: Context) -> str:
    """Return the script that opens the new host's port again where the cutover is taken back.

    Under `firewall` its name has been in the DNS meanwhile, so caches may hold its address for dns.ttl: mail that
    they bring would be stranded there. The port opens by itself, by a timer on the host, when they are dry.
    """
    if context.plan.cutover.strategy == "firewall":
        return port.reopen_later(context, "new", after=context.plan.dns.ttl)
    return port.no_timer(context) + port.reopen(context, "new")
