"""The findings of `migrate check`, as a table or for a program."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from migrator.report.text import clean, clean_lines

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}


def show(findings: Sequence[Mapping[str, str | None]], *, json: bool) -> None:
    """Given findings (name, level, host, text, advice, and detail in lines), write them to standard output."""
    if json:
        sys.stdout.write(jsonlib.dumps({"findings": list(findings)}) + "\n")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(_table(findings))


def _table(findings: Sequence[Mapping[str, str | None]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for found in findings:
        level = found["level"] or ""
        table.add_row(
            Text(level, style=_STYLES.get(level, "")),
            Text(clean(found["host"] or "")),
            Text(clean(found["name"] or "")),
            Text(clean(found["text"] or "")),
        )
        if found.get("detail") and level != "pass":
            table.add_row("", "", "", Text("\n".join(clean_lines(found["detail"] or ""))))
        if found["advice"] and level != "pass":
            table.add_row("", "", "", Text(f"→ {clean(found['advice'])}", style="dim"))
    return table
