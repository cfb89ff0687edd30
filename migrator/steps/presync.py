"""The bulk of the mail is copied while both hosts go on as they are."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.errors import VerifyFailed
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.forecasting import MOST, converged
from migrator.steps.common.passes import Scope, guard, one_pass

_FIRST = 2  # passes that are always made where the plan leaves their number open: one alone predicts nothing


class Presync(Step):
    """Copy every tree from the old host to the new one, as often as the plan says, while both go on serving."""

    name = "presync"
    phase = Phase.PRESYNC
    after = "install-key"

    def ready(self, context: Context) -> None:
        """Raise Refused where mail came in on the new host since a pass was interrupted."""
        guard(context, interrupted=True)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the passes that were not made yet. They delete nothing."""
        passes = context.plan.copying.passes
        for number in range(1, (MOST if passes == "auto" else passes) + 1):
            if passes == "auto" and number > _FIRST and converged(context):
                return
            if _key(number) not in context.memory:
                scope: Scope = "whole" if number == 1 else "changed"
                yield from one_pass(context, _key(number), f"pass {number}", scope=scope)

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where a tree has not arrived at all."""
        for tree in context.plan.sync:
            if context.new.read("test", "-d", tree.target).status != 0:
                raise VerifyFailed(
                    f"{tree.target} does not exist after the copy",
                    host="new",
                    expected="the folder that rsync was told to fill",
                    seen="no such folder",
                    advice=f"see that {tree.source} exists on the old host",
                )


def _key(number: int) -> str:
    return f"presync.{number}"
