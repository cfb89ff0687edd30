"""The options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def complete_step(incomplete: str) -> list[str]:
    """Given the beginning of a word, return the names of the steps that begin with it, for shell completion."""
    from migrator.steps import ordered

    names = dict.fromkeys(step.name for strategy in ("hold", "firewall") for step in ordered(strategy))
    return [name for name in names if name.startswith(incomplete)]


PlanPath = Annotated[
    Path,
    typer.Argument(
        metavar="PLAN", help="The plan: a TOML file; `migrate init` writes one.", show_default=False
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object a line on standard output, nothing else.")
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="MIGRATE_STATE_DIR",
        metavar="FOLDER",
        help="Where journals live.  [default: .migrate beside the plan]",
        show_default=False,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show Python's traceback of an error as well.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show every command, file difference and DNS update; change nothing."),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="With --dry-run: show also long files and scripts whole, and every tree."),
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="STEP",
        help="Stop after this step: `--until presync` rehearses the data two days before.",
        autocompletion=complete_step,
        show_default=False,
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Sleep through a wait instead of ending with 75.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer the one question asked before mail is moved.")]
YesBack = Annotated[bool, typer.Option("--yes", help="Answer the one question asked where mail has moved.")]
Force = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD",
        help="Go on in spite of one refusal, by the word that it names. May be repeated.",
        show_default=False,
    ),
]
AcceptPlanChange = Annotated[
    bool,
    typer.Option(
        "--accept-plan-change", help="Go on with an edited plan where no finished step is concerned."
    ),
]
