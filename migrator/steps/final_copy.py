"""The last pass, over mailboxes that nothing delivers to any more."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.errors import StartOver
from migrator.net.firewall import CLOSED, OPEN, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import daemons, port
from migrator.steps.common.at_once import at_once
from migrator.steps.common.passes import expect_equal, guard, last_pass
from migrator.steps.drain import expect_old_closed


class FinalCopy(Step):
    """Copy the last differences, deletions included, and prove by checksum that both hosts hold the same mail."""

    name = "final-copy"
    phase = Phase.CUTOVER
    after = {"hold": "drain", "firewall": "move-dns"}
    attempts = 5
    proves = True

    def ready(self, context: Context) -> None:
        """Raise StartOver where the new host could take mail meanwhile, Refused where it did: it would be deleted."""
        at_once(
            lambda: expect_closed(context),
            lambda: guard(context, interrupted=True),
            lambda: _expect_old_waits(context),
        )

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield a pass over what changed since the sweep; where that did not make them equal, one over everything."""
        yield from last_pass(context, self.name, "the final pass")

    def verify(self, context: Context) -> None:
        """Compare by checksum, with the new host still closed. Raises VerifyFailed where anything differs."""
        if context.plan.cutover.strategy == "firewall" and port.state(context, "old") == PortState(OPEN):
            # The old port's timer went off during the pass. Mail comes in there again, so nothing can be equal;
            # `settle` proves the copy once the relay is loaded.
            return
        expect_equal(context)
        expect_closed(context)


def _expect_old_waits(context: Context) -> None:
    if context.plan.cutover.strategy == "firewall":
        expect_old_closed(context)


def expect_closed(context: Context) -> None:
    """Raise StartOver where the new host is not closed any more: it was rebooted, or somebody opened it."""
    found, running = at_once(lambda: port.state(context, "new"), lambda: daemons.running(context.new))
    listeners = running.listeners
    if found != PortState(CLOSED) or listeners:
        raise StartOver(
            "the new host is not closed any more: it was rebooted, or somebody opened it",
            step="close-new",
            host="new",
            expected="port 25 closed and Sendmail stopped until the copy is verified",
            seen=f"port 25 is {found.word}, and Sendmail {'runs' if listeners else 'does not run'}",
            advice="see whether something there takes the firewall rule away, or starts Sendmail",
        )
