"""A plan that was edited between two runs: what changed, and whether a run may go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from migrator.errors import UsageError
from migrator.journal import State
from migrator.plan.flat import differences, duration_text
from migrator.plan.shapes import CutoverPlan
from migrator.steps.base import Phase, Step

FIRST_STEP: Mapping[str, str | Phase] = {
    "old": "survey",
    "new": "survey",
    "dns": "lower-ttl",
    "sync": "install-key",  # the key on the old host opens exactly the trees of the plan
    "sync.passes": "presync",
    "sync.streams": "presync",
    "sync.max_delete": "final-copy",
    "sync.max_load": "install-key",
    "sync.bwlimit": "final-copy",
    "sync.nice": "install-key",
    "sync.ionice": "install-key",
    "cutover": Phase.CUTOVER,
    "smoke": "smoke",
    "webmail": "redirect-webmail",
}
"""Which step is the first that a key, or else its table, concerns; a table that is not here concerns everything."""


_ADDED: Mapping[str, str] = {"cutover.late_mail": duration_text(CutoverPlan().late_mail)}
"""Keys that a plan of an earlier version did not have, with their defaults: a journal that lacks them has these."""


def check(state: State, plan: Mapping[str, str], steps: Sequence[Step], *, accept: bool) -> None:
    """Given the state, the plan as it is now and the steps, return where a run may go on with it.

    Raises UsageError with every changed key where the change is not accepted, or concerns a finished step.
    """
    changed = differences({**_ADDED, **state.plan} if state.plan else state.plan, plan)
    blocked = {key: step for key in changed if (step := _finished_step(state, key, steps))}
    if not changed or (accept and not blocked and not state.going_back):
        return
    lines = [f"{key}: {before} → {after}" for key, (before, after) in changed.items()]
    if state.going_back:
        advice = "put the old values back: a run that goes back undoes by the plan that it was begun with, and first"
    elif blocked:
        reasons = [
            f"{key} concerns {step}" + (", which is finished" if state.finished(step) else "")
            for key, step in blocked.items()
        ]
        ways = "put the old values back, or undo everything with `migrate rollback` and start anew"
        advice = f"{'; '.join(reasons)}: {ways}"
    else:
        advice = (
            "put the old values back, or go on with `--accept-plan-change`: no finished step is concerned"
        )
    raise UsageError(
        "The plan was changed since this migration began: " + "; ".join(lines),
        expected="the plan that the journal holds",
        seen="; ".join(lines),
        advice=advice,
    )


_EVERYTHING = "the whole migration"


def _finished_step(state: State, key: str, steps: Sequence[Step]) -> str:
    """Return the first finished step that a key of the plan concerns, "" where there is none."""
    table = key.partition(".")[0].partition("[")[0]
    if table not in FIRST_STEP:
        return _EVERYTHING
    first = FIRST_STEP.get(key, FIRST_STEP[table])
    if key == f"{table}.ssh" and (deed := _first_on(state, table)):
        return f"what was done there ({deed})"
    return next((name for name in _from(first, steps) if state.finished(name)), "")


def _first_on(state: State, host: str) -> str:
    """Return the first deed on a host that is still to be undone there; "" where there is none."""
    undos = ((deed.summary, deed.data["undo"]) for deed in state.deeds if deed.state == "done")
    return next((summary for summary, undo in undos if isinstance(undo, dict) and undo["host"] == host), "")


def _from(first: str | Phase, steps: Sequence[Step]) -> Iterator[str]:
    reached = False
    for step in steps:
        reached = reached or first in (step.name, step.phase)
        if reached:
            yield step.name
