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


def _note(step: Mapping[str, Any]) -> str:
    until = f"until {moment(datetime.fromisoformat(step['until']))}: " if step["until"] else ""
    return until + clean(step["text"]) if step["state"] in ("waiting", "failed") else ""
