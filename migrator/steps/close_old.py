"""The recipe's way: the old host takes no mail while it is copied."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Shell
from migrator.net.firewall import CLOSED, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import port


class CloseOld(Step):
    """Close incoming port 25 of the old host; it opens by itself after cutover.max_closed."""

    name = "close-old"
    phase = Phase.CUTOVER
    after = {"firewall": "sweep"}
    suspends = "wait"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the closing together with the timer on the host that ends it."""
        if port.state(context, "old") == PortState(CLOSED):
            return
        opening = port.prepared(context, port.swept(port.no_timer(context) + port.reopen(context, "old")))
        closing = port.swept(port.reopen_later(context, "old") + port.close(context, "old"))
        shown = f"{port.later_shown(context)}\n{port.close_shown(context, 'old')}"
        yield Change(
            f"close port 25 of the old host, for {int(context.plan.cutover.max_closed.total_seconds())} s at most",
            Shell(
                "old",
                port.prepared(context, closing),
                shown=shown,
            ),
            Shell("old", opening, shown=port.REOPEN_SHOWN),
        )

    def verify(self, context: Context) -> None:
        """Measure the firewall. Raises VerifyFailed where the port is open."""
        port.expect(context, "old", PortState(CLOSED))
