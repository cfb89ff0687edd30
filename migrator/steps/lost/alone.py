"""The chain of a migration without its old host: what the new host can do alone, and words for all else."""

from __future__ import annotations

import inspect
from collections import ChainMap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from migrator.change import Change, Note, Shell, Undo
from migrator.steps.base import Context, Step
from migrator.steps.common import late
from migrator.steps.common.passes import forget
from migrator.steps.install_key import removal
from migrator.steps.lost.tell import TellLost
from migrator.steps.smoke import Smoke

KEPT = frozenset({"open-new", "move-dns", "verify-dns", "restore-ttl", "farewell"})
"""The steps that are made as ever: they need the new host and the DNS alone."""


def alone(steps: Sequence[Step], finished: Sequence[str]) -> tuple[Step, ...]:
    """Given the steps of a migration and the names of those that are finished, return its chain without the old host.

    Before the first step that is open it is said what is known to be where. The others keep their names, so that the
    journal, `status` and a later run know them.
    """
    chain: list[Step] = []
    told = False
    for step in steps:
        if step.name in finished:
            chain.append(_passed(step))
            continue
        if not told:
            chain.append(TellLost())
            told = True
        if step.name in KEPT:
            chain.append(_kept(step))
        elif step.name == "smoke":
            chain.append(_SmokeAlone())
        elif step.name == "remove-key":
            chain.append(_forgetting(step))
        else:
            chain.append(_skipped(step))
    return tuple(chain)


def _without_old(context: Context) -> Context:
    """Return a context in which all that is asked of a host's facts is asked of the new one, and nothing of the old."""
    plan = replace(context.plan, cutover=replace(context.plan.cutover, strategy="hold"))
    # Whom the lost host answers for now is nothing to ask it about.
    memory = ChainMap({late.LATER: ""}, cast("dict[str, str]", context.memory))
    return replace(context, facts=lambda _host: context.facts("new"), plan=plan, memory=memory)


def _passed(step: Step) -> Step:
    class Passed(Step):
        __doc__ = inspect.getdoc(type(step))
        name = step.name
        phase = step.phase
        after = ""

        def changes(self, context: Context) -> Iterator[Change]:
            yield from ()

        def verify(self, context: Context) -> None:
            """It is finished."""

    return Passed()


def _skipped(step: Step) -> Step:
    class Skipped(Step):
        __doc__ = inspect.getdoc(type(step))
        name = step.name
        phase = step.phase
        after = ""
        repeats = False

        def changes(self, context: Context) -> Iterator[Change]:
            if (key := f"{step.name}.skipped") not in context.memory:
                text = f"{step.name} is left out: it needs the old host, which is lost"
                yield Change(text, Note(), Undo.NOT_NEEDED, {key: context.now().isoformat()})

        def verify(self, context: Context) -> None:
            """Nothing was done, so there is nothing to measure."""

    return Skipped()


def _kept(step: Step) -> Step:
    class Kept(Step):
        __doc__ = inspect.getdoc(type(step))
        name = step.name
        phase = step.phase
        after = ""
        attempts = step.attempts
        reopens = step.reopens

        def ready(self, context: Context) -> None:
            step.ready(_without_old(context))

        def changes(self, context: Context) -> Iterator[Change]:
            yield from step.changes(_without_old(context))

        def verify(self, context: Context) -> None:
            step.verify(_without_old(context))

    return Kept()


class _SmokeAlone(Smoke):
    """Send a message straight to the new host, find it in the mailbox, and try to relay."""

    after = ""
    hosts = ("new",)

    def changes(self, context: Context) -> Iterator[Change]:
        yield from super().changes(_without_old(context))

    def verify(self, context: Context) -> None:
        self.expect_in_mailbox(context)


def _forgetting(step: Step) -> Step:
    class Forgetting(Step):
        __doc__ = inspect.getdoc(type(step))
        name = step.name
        phase = step.phase
        after = ""
        repeats = False

        def changes(self, context: Context) -> Iterator[Change]:
            if (key := f"{step.name}.alone") not in context.memory:
                script = removal(_without_old(context), "new").script + forget(context, "new").script
                summary = "remove the run's key, and what it kept for its passes, from the new host"
                yield Change(summary, Shell("new", script), Undo.NOT_NEEDED, {key: "done"})

        def verify(self, context: Context) -> None:
            """The script fails where a part is left."""

    return Forgetting()
