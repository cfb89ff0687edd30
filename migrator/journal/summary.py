"""What `status` tells of a journal, as plain values."""

from __future__ import annotations

from typing import Any

from migrator.journal.state import State, StepRecord


def summary(state: State) -> dict[str, Any]:
    """Given a state, return it as plain JSON values: the whole, and each step with its times and what it waits for.

    Times are ISO 8601 in UTC, `seconds` how long a step took from its first start to its end; `cutover` holds for how
    many seconds mail waited and mailboxes were closed.
    """
    names = [name for name, _, _ in state.chain]
    chain = [*state.chain, *((name, "", "") for name in state.steps if name not in names)]
    return {
        "state": _whole(state),
        "last": state.last.isoformat() if state.last else None,
        "steps": [_step(*known, state.steps.get(known[0])) for known in chain],
        "changes": sum(deed.state in ("done", "undone") for deed in state.deeds),
        "cutover": {what: _took(state, what) for what in ("mail", "mailboxes")},
    }


def _took(state: State, what: str) -> dict[str, float | None]:
    """Return for how many seconds mail waited, or mailboxes were closed, as predicted and as it came."""
    known = {word: state.memory.get(f"cutover.{word}.{what}") for word in ("predicted", "real")}
    return {word: float(text) if text else None for word, text in known.items()}


def _whole(state: State) -> str:
    if state.rolled_back:
        return "rolled back"
    if state.rolling_back:
        return "rolling back"
    if state.going_back:
        return "going back"
    if state.complete:
        return "done"
    if not state.begun:
        return "not begun"
    under_way = [record.state for record in state.steps.values() if record.state not in ("done", "undone")]
    return under_way[-1] if under_way else "started"


def _step(name: str, phase: str, headline: str, record: StepRecord | None) -> dict[str, Any]:
    known = record or StepRecord(name)
    took = (known.ended - known.started).total_seconds() if known.started and known.ended else None
    return {
        "name": name,
        "phase": phase,
        "headline": headline,
        "state": known.state if record else "open",
        "started": known.started.isoformat() if known.started else None,
        "ended": known.ended.isoformat() if known.ended else None,
        "seconds": took,
        "until": known.until.isoformat() if known.until else None,
        "text": known.text,
    }
