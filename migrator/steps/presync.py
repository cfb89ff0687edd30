"""The bulk of the mail is copied while both hosts go on as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from migrator import host_text
from migrator.change import Change
from migrator.errors import VerifyFailed
from migrator.hosts.base import Output
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
        trees = context.plan.sync
        found = context.new.inspect(
            "".join(
                f"test -d {shlex.quote(tree.target)} || echo {index}\n" for index, tree in enumerate(trees)
            )
            + "true\n"
        )
        for index in _missing(found, len(trees)):
            raise VerifyFailed(
                f"{trees[index].target} does not exist after the copy",
                host="new",
                expected="the folder that rsync was told to fill",
                seen=found.stderr.strip()[-300:] or "no such folder",
                advice=f"see that {trees[index].source} exists on the old host",
            )


def _missing(output: Output, trees: int) -> list[int]:
    """Return the numbers that were printed, of so many trees; where the host could not tell, that of the first."""
    told = host_text.words(output.stdout)
    missing = [int(word) for word in told if re.fullmatch("[0-9]{1,6}", word) and int(word) < trees]
    return missing or [0] * (output.status != 0)


def _key(number: int) -> str:
    return f"presync.{number}"
