"""The table of `migrate status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from migrator.report.text import clean, duration, moment

_STYLES = {
    "done": "green",
    "undone": "yellow",
    "failed": "bold red",
    "waiting": "yellow",
    "interrupted": "yellow",
    "started": "cyan",
    "open": "dim",
}


def status_table(steps: Sequence[Mapping[str, Any]]) -> Table:
    """Given the steps of a summary of the journal, return them as a table with a row each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("PHASE", "STEP", "STATE", "SINCE", "TOOK", ""):
        table.add_column(title, no_wrap=title != "", overflow="fold")
    for step in steps:
        table.add_row(
            Text(clean(step["phase"])),
            Text(clean(step["name"])),
            Text(step["state"], style=_STYLES.get(step["state"], "")),
            Text(moment(datetime.fromisoformat(step["started"])) if step["started"] else ""),
            Text(duration(step["seconds"]) if step["seconds"] is not None else ""),
            Text(_note(step)),
        )
    return table


def cutover_line(cutover: Mapping[str, Mapping[str, float | None]]) -> str:
    """Given what a summary tells of the cutover's times, return it in words; "" where nothing is known."""
    words = {"mail": "mail waited", "mailboxes": "mailboxes were closed"}
    return ", ".join(_took(words[what], **times) for what, times in cutover.items() if any(times.values()))


def _took(words: str, *, predicted: float | None, real: float | None) -> str:
    if real is None:
        return f"{words}: not over yet (predicted {duration(predicted or 0.0)})"
    return f"{words} {duration(real)}" + (
        f" (predicted {duration(predicted)})" if predicted is not None else ""
    )


def _note(step: Mapping[str, Any]) -> str:
    until = f"until {moment(datetime.fromisoformat(step['until']))}: " if step["until"] else ""
    return until + clean(step["text"]) if step["state"] in ("waiting", "failed") else ""
