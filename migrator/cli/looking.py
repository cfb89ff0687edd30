"""`status`: reads the plan and the journal, and nothing else."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Any

import typer

from migrator.cli.finding import found
from migrator.journal import summary


def status(plan_path: Path, state_root: Path | None, *, json: bool) -> None:
    """Given the plan, the folder of all state, and whether a program reads it, write the status.

    Raises PlanError for a faulty plan without a journal, and JournalDamaged.
    """
    known = found(plan_path, state_root)
    told = {"name": known.plan.name, **summary(known.state)}
    if json:
        typer.echo(jsonlib.dumps(told))
    else:
        _show(told)


def _show(told: dict[str, Any]) -> None:
    from rich.console import Console

    from migrator.report.status import cutover_line, status_table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(f"{told['name']}: {told['state']}", markup=False)
    if told["steps"]:
        console.print(status_table(told["steps"]))
    if line := cutover_line(told["cutover"]):
        console.print(line, markup=False)
