"""The plan and the journal of a migration that was begun, also where the plan's file was edited since, or is gone."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import Fault, PlanError, Refused
from migrator.journal import FILE, State, read_state
from migrator.journal.journalled import journalled
from migrator.plan import Plan, load
from migrator.plan.files import absent
from migrator.plan.flat import differences
from migrator.plan.whole import unflatten


@dataclass(frozen=True, slots=True)
class Found:
    """The plan that a rollback goes by, what its journal adds up to, and what is to be told of today's file."""

    plan: Plan
    state: State
    told: str = ""


def found(path: Path, state_root: Path | None) -> Found:
    """Given the path of a plan, and the folder of all state if not `.migrate` beside it, return what a rollback needs.

    Where something was begun the plan is the journal's. Raises PlanError for a faulty plan without such a journal,
    Refused where the plan was given another name since, or where the journal's plan cannot be read, JournalDamaged.
    """
    path = path.absolute()
    try:
        today = load(path, state_root=state_root)
    except PlanError as error:
        return _without_today(path, state_root, error)
    state = read_state(today.state_dir)
    if not state.begun:
        expect_name(today)
        return Found(today, state)
    plan = journalled(today, state)
    changed = differences(state.plan, today.flatten()) if state.plan else {}
    lines = [f"{key}: {before} → {after}" for key, (before, after) in changed.items()]
    told = f"the plan was edited since it was run; its run's own plan counts here: {'; '.join(lines)}"
    return Found(plan, state, told if lines else "")


def expect_name(today: Plan, *, done: bool = True) -> None:
    """Raise Refused where a migration of this plan was begun under another name; with `done`, also where it is over."""
    root = today.state_dir.parent
    for name, state in _begun(root, today.path):
        if name != today.name and (done or not state.complete):
            raise Refused(
                f"This plan's migration was begun under the name {name}, and is {today.name} now",
                host="operator",
                expected=f'name = "{name}"',
                seen=f'name = "{today.name}"',
                advice=f"put the name {name} back into [migration]; another migration takes a plan of its own",
            )


def expect_files(plan: Plan) -> None:
    """Raise PlanError where a file of this machine is not there that the plan's way to hosts or name servers needs.

    The plan may be the journal's, of which no line can be named.
    """
    missing = absent(plan, without=("new.sendmail",))
    if missing:
        raise PlanError(str(plan.path), [Fault(key, None, complaint) for key, complaint in missing.items()])


def _without_today(path: Path, state_root: Path | None, error: PlanError) -> Found:
    """Return what the journal alone knows. Raises the error where there is no journal of this plan."""
    root = state_root or path.parent / ".migrate"
    name = _name(path)
    known = dict(_begun(root, path))
    if name is not None and name not in known and (named := read_state(root / name)).begun and named.plan:
        known = {name: named}
    state = known.get(name or "") or (next(iter(known.values())) if len(known) == 1 else None)
    if state is None:
        raise error
    try:
        plan = unflatten(state.plan, path, state_root)
    except ValueError:
        raise error from None
    why = "; ".join(f"{fault.key} {fault.reason}".strip() for fault in error.faults)
    return Found(
        plan, state, f"the plan's file cannot be used now ({why}); the journal's own plan counts here"
    )


def _begun(root: Path, path: Path) -> Iterator[tuple[str, State]]:
    """Yield the name and the state of each migration in a folder that was begun by the plan at a path."""
    for journal in sorted(root.glob(f"*/{FILE}")):
        if _first_path(journal) == str(path):
            state = read_state(journal.parent)
            if state.begun and state.path == str(path):
                yield journal.parent.name, state


def _first_path(journal: Path) -> str:
    """Return where the plan of a journal's first run was; "" where its first line does not tell."""
    try:
        with journal.open("rb") as file:
            return str(json.loads(file.readline())["data"]["path"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _name(path: Path) -> str | None:
    """Return the name in a plan that may have faults, None where nothing can be read."""
    try:
        name = tomllib.loads(path.read_text(encoding="utf-8-sig"))["migration"]["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # A name is the name of a folder, and leads nowhere else.
    return name if isinstance(name, str) and name and "/" not in name and name not in (".", "..") else None
