"""A plan that was edited between two runs: what changed, and whether a run may go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from migrator.errors import UsageError
from migrator.journal import State
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


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Given two flattened plans, return each key that differs, with both values ("absent": in one)."""
    keys = sorted(before.keys() | after.keys())
    pairs = {key: (before.get(key, "absent"), after.get(key, "absent")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def check(state: State, plan: Mapping[str, str], steps: Sequence[Step], *, accept: bool) -> None:
    """Given the state, the plan as it is now and the steps, return where a run may go on with it.

    Raises UsageError with every changed key where the change is not accepted, or concerns a finished step.
    """
    changed = differences(state.plan, plan)
    blocked = {key: step for key in changed if (step := _finished_step(state, key, steps))}
    if not changed or (accept and not blocked):
        return
    lines = [f"{key}: {before} → {after}" for key, (before, after) in changed.items()]
    if blocked:
        reasons = [
            f"{key} concerns {step}" + (", which is finished" if step != _EVERYTHING else "")
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
    return next((name for name in _from(first, steps) if state.finished(name)), "")


def _from(first: str | Phase, steps: Sequence[Step]) -> Iterator[str]:
    reached = False
    for step in steps:
        reached = reached or first in (step.name, step.phase)
        if reached:
            yield step.name
