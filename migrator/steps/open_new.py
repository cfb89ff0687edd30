"""The new host takes mail from everyone."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Shell, Undo
from migrator.hosts import boot, daemon
from migrator.net.firewall import OPEN, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import holding, port, reaching, waiting
from migrator.steps.common.at_once import at_once
from migrator.steps.common.opening import note_opened


class OpenNew(Step):
    """Open port 25 of the new host to all."""

    name = "open-new"
    phase = Phase.CUTOVER
    after = {"hold": "flush", "firewall": "settle"}
    reopens = ("mailboxes",)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the opening. From here on the new host holds mail of its own, which a rollback brings home.

        Under `firewall` the old host gets in from here on as well, so what would be refused is kept back before.
        """
        if "open-new.timer" in context.memory and port.state(context, "new") == PortState(OPEN):
            return
        if context.plan.cutover.strategy == "firewall":
            yield from holding.foreseen(context, waiting.queued(waiting.for_domains(context)))
        start = boot.release(context.plan.name) + daemon.start(context.facts("new"))
        script = start + port.no_timer(context) + port.reopen(context, "new")
        shown = f"{boot.RELEASE_SHOWN}\n{daemon.START_SHOWN}\n{port.REOPEN_SHOWN}"
        yield Change(
            "open port 25 of the new host to all",
            Shell("new", port.prepared(context, script), shown=shown),
            # Open is what it was before the migration.
            Undo.NOT_NEEDED,
            {"open-new.timer": "dropped", **note_opened(context)},
        )

    def verify(self, context: Context) -> None:
        """Measure the firewall, and ask the live daemon. Raises VerifyFailed where mail is not taken."""
        at_once(
            lambda: port.expect(context, "new", PortState(OPEN)), lambda: port.expect_greeting(context, "new")
        )
        if context.plan.cutover.strategy == "firewall":
            # Under `hold` the old host's mail has come through already.
            reaching.expect_reached(context, "old")

    def can_go_back(self, context: Context) -> bool:
        """Return that it cannot: from here on strangers may have left mail, which a rollback brings home."""
        return False
