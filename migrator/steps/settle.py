"""Under the firewall strategy mail may have been delivered on the old host until its relay was loaded."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.at_once import at_once
from migrator.steps.common.draining import drained, expect_drained
from migrator.steps.common.passes import expect_equal, guard, last_pass
from migrator.steps.final_copy import expect_closed
from migrator.steps.relay import GENERATIONS


class Settle(Step):
    """Copy what the old host still delivered to itself between the final copy and its relay."""

    name = "settle"
    phase = Phase.CUTOVER
    after = {"firewall": "relay"}
    attempts = 5
    proves = True

    def ready(self, context: Context) -> None:
        """Raise StartOver where the new host could take mail meanwhile, Refused where it did."""
        at_once(lambda: expect_closed(context), lambda: guard(context, interrupted=True))

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield a wait for deliveries under the earlier configuration, then a pass over what they left."""
        yield from drained(context, "old", earlier=GENERATIONS)
        yield from last_pass(context, self.name, "the settling")

    def verify(self, context: Context) -> None:
        """Look for deliveries of before, then compare by checksum. Raises VerifyFailed where anything is left."""
        expect_drained(context, "old", earlier=GENERATIONS)
        expect_equal(context)
        expect_closed(context)
