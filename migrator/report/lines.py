"""Each event as lines for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migrator.event import Event, Kind
from migrator.report.failure import HOSTS
from migrator.report.text import clean_lines, duration, moment


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its sign, its words, how deep it is indented (0 to 2), and what it means ("good", "bad", …)."""

    sign: str
    text: str
    depth: int = 0
    tone: str = "plain"


_SIGNS: dict[Kind, tuple[str, int, str]] = {
    Kind.RUN_STARTED: ("", 0, "title"),
    Kind.PLAN_ACCEPTED: ("!", 0, "warn"),
    Kind.STEP_STARTED: ("▸", 1, "step"),
    Kind.STEP_SKIPPED: ("·", 1, "faint"),
    Kind.STEP_DONE: ("✓", 1, "good"),
    Kind.STEP_WAITING: ("…", 1, "warn"),
    Kind.STEP_FAILED: ("✗", 1, "bad"),
    Kind.STEP_UNDONE: ("↶", 1, "good"),
    Kind.STARTED_OVER: ("↺", 1, "warn"),
    Kind.GOING_BACK: ("↶", 1, "warn"),
    Kind.WENT_BACK: ("↶", 0, "warn"),
    Kind.CHANGE_DONE: ("✓", 2, "plain"),
    Kind.CHANGE_FAILED: ("✗", 2, "bad"),
    Kind.CHANGE_UNDONE: ("↶", 2, "plain"),
    Kind.CHANGE_PREVIEW: ("+", 2, "preview"),
    Kind.CHECK_OPEN: ("?", 2, "faint"),
    Kind.INTERRUPTED: ("!", 0, "warn"),
    Kind.MESSAGE: ("·", 2, "plain"),
    Kind.RUN_DONE: ("✓", 0, "good"),
    Kind.RUN_STOPPED: ("■", 0, "good"),
    Kind.ROLLBACK_STARTED: ("", 0, "title"),
    Kind.ROLLBACK_DONE: ("✓", 0, "good"),
}


def lines(event: Event, *, took: float | None = None) -> list[Line]:
    """Given an event, and how long what it ends took in seconds, return its lines.

    None for what a person need not read: a planned change (its end is told), and progress (shown in place).
    """
    if event.kind not in _SIGNS:
        return []
    sign, depth, tone = _SIGNS[event.kind]
    first, *rest = clean_lines(_words(event)) or [""]
    if took is not None and took >= 1:
        first += f"  ({duration(took)})"
    return [Line(sign, first, depth, tone), *(Line("", line, depth + 1, "detail") for line in rest)]


def _words(event: Event) -> str:
    text, step, host = event.text, event.step or "", _on(event.host)
    match event.kind:
        case Kind.RUN_STARTED:
            return f"migrating {text}"
        case Kind.ROLLBACK_STARTED:
            return f"rolling back {text}"
        case Kind.STEP_STARTED | Kind.STEP_DONE | Kind.STEP_SKIPPED | Kind.STEP_UNDONE:
            return f"{step}: {text}"
        case Kind.STEP_WAITING:
            return _waiting(event)
        case Kind.STEP_FAILED:
            return f"{step}{host}: {text}{_details(event)}"
        case Kind.STARTED_OVER:
            return f"{step}: {text}; going on from {event.data['to']}"
        case Kind.CHANGE_PREVIEW:
            return f"would {event.data['summary']}{host}\n{text}".rstrip("\n")
        case Kind.INTERRUPTED:
            return f"interrupted{f' in {step}' if step else ''}{f': {text}' if text else ''}"
        case _:
            return text


def _on(host: str | None) -> str:
    return f" [{HOSTS.get(host, host)}]" if host else ""


def _waiting(event: Event) -> str:
    until = event.data.get("until")
    when = f" until {moment(datetime.fromisoformat(until))}" if until else ""
    return f"{event.step}: waiting{when}: {event.text}{_details(event)}"


def _details(event: Event) -> str:
    """Return what else is known; where all ends here, the block after the last line says it."""
    if not event.data.get("goes_on"):
        return ""
    known = ((name, event.data.get(name)) for name in ("expected", "seen", "advice"))
    return "".join(f"\n{name}: {text}" for name, text in known if text)
