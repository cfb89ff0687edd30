"""The old host takes mail again, as a relay."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Shell, Undo
from migrator.net.firewall import OPEN, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import port
from migrator.steps.common.at_once import at_once


class OpenOld(Step):
    """Open port 25 of the old host, which relays by now."""

    name = "open-old"
    phase = Phase.CUTOVER
    after = {"firewall": "open-new"}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the opening. Its undo is none: what closed the port undoes itself by opening it."""
        script = port.prepared(context, port.swept(port.no_timer(context) + port.reopen(context, "old")))
        if "open-old.timer" not in context.memory or port.state(context, "old") != PortState(OPEN):
            yield Change(
                "open port 25 of the old host",
                Shell("old", script, shown=port.REOPEN_SHOWN),
                Undo.NOT_NEEDED,
                {"open-old.timer": "dropped"},
            )

    def verify(self, context: Context) -> None:
        """Measure the firewall, and ask the live daemon. Raises VerifyFailed where mail is not taken."""
        at_once(
            lambda: port.expect(context, "old", PortState(OPEN)), lambda: port.expect_greeting(context, "old")
        )
