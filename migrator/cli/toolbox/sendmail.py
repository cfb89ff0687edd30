"""`migrate sendmail`: its commands, each registered by its own file."""

from __future__ import annotations

import typer

sendmail = typer.Typer(
    name="sendmail",
    help="Set one Sendmail host up, look at it, and undo what was done to it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# Each file adds its command to the app above, so they come after it.
from migrator.cli.toolbox import backup, dh, diagnose, forward, harden, restore, rewrite, smarthost, undo  # noqa: E402, F401
