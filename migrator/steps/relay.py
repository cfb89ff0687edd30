"""The old host hands everything for the domains to the new one instead of delivering it."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Note, Undo
from migrator.net.firewall import OPEN, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import holding, port
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import Reload
from migrator.steps.common.patience import time
from migrator.steps.common.relaying import expect_live_relay, expect_relay, later_word, relayed

GENERATIONS = "relay.generations"
"""Where the sessions of the daemons before the relay are remembered; what is still in one holds their rules."""

TOLD = "relay.later.told"
"""That the addresses were told which the new host does not know."""


class Relay(Step):
    """Make the old host relay mail for the domains to the new one, by mailertable, without closing its port."""

    name = "relay"
    phase = Phase.CUTOVER
    after = {"hold": "sweep", "firewall": "final-copy"}
    suspends = "wait"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the way to the new host, and then the domains out of class w."""
        hold = context.plan.cutover.strategy == "hold"
        reload = Reload.BRIDGED if hold else Reload.PLAIN
        for number, change in enumerate(relayed(context, "old", GENERATIONS, reload=reload)):
            # The first is undone last: what was kept back is released to a host that delivers for itself again.
            yield holding.releasing(change) if number == 0 else change
        later = context.memory.get(later_word(GENERATIONS), "")
        if later and TOLD not in context.memory:
            yield Change(
                f"by hand: the new host does not know {later}, whom the old one knows: it answers them with 450 "
                f"from now on for {time(context.plan.cutover.late_mail)}, so that nothing bounces, and with 550 then; "
                "make these aliases, accounts or keys of virtusertable there",
                Note(),
                Undo.NOT_NEEDED,
                {TOLD: "yes"},
            )

    def verify(self, context: Context) -> None:
        """Prove the relay three times: by -bv, by class w, and by the live daemon. Raises VerifyFailed."""
        at_once(lambda: expect_relay(context, "old"), lambda: _expect_live_relay(context))


def _expect_live_relay(context: Context) -> None:
    # A port that is closed to strangers does not answer the operator's machine.
    if port.state(context, "old") == PortState(OPEN):
        expect_live_relay(context, "old")
