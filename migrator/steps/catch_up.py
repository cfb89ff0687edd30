"""What came in since the presync is copied before anything is closed, so that the final pass is short."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.draining import refuse_held
from migrator.steps.common.forecasting import MOST, converged
from migrator.steps.common.passes import guard, one_pass


class CatchUp(Step):
    """Copy once more what has changed since the presync, just before the cutover."""

    name = "catch-up"
    phase = Phase.PRESYNC
    after = "wait"

    def ready(self, context: Context) -> None:
        """Raise Refused where mail came in on the new host since a pass was interrupted."""
        guard(context, interrupted=True)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one pass, unless it was made; where the plan leaves their number open, as many as make a difference."""
        if self.name in context.memory:
            return
        for _ in range(MOST if context.plan.copying.passes == "auto" else 1):
            yield from one_pass(context, self.name, "the catching-up", scope="changed")
            if converged(context):
                return

    def verify(self, context: Context) -> None:
        """Raise Refused where messages are held that only a person can release, and that the old host would keep.

        Told here, for once the cutover has begun mail waits. Of the copy nothing is promised: the final pass makes it
        exact, and is measured.
        """
        refuse_held(context, "old")
