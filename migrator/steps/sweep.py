"""On the closed new host the copy is made exact while the old one still serves: the final pass then has little left."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.at_once import at_once
from migrator.steps.common.passes import guard, one_pass
from migrator.steps.final_copy import expect_closed


class Sweep(Step):
    """Copy everything once more, deletions included, while the old host still serves."""

    name = "sweep"
    phase = Phase.CUTOVER
    after = "close-new"

    def ready(self, context: Context) -> None:
        """Raise StartOver where the new host could take mail meanwhile, Refused where it did: it would be deleted."""
        at_once(lambda: expect_closed(context), lambda: guard(context, interrupted=True))

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the pass, unless it was made. Nobody waits for it: mail still goes to the old host alone."""
        if self.name not in context.memory:
            yield from one_pass(context, self.name, "the sweep", delete=True)

    def verify(self, context: Context) -> None:
        """Raise StartOver where the new host could take mail. The old one goes on, so nothing is equal yet."""
        expect_closed(context)
