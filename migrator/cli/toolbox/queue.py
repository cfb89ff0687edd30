"""`migrate queue`: its commands, each registered by its own file."""

from __future__ import annotations

import typer

queue = typer.Typer(
    name="queue",
    help="See what waits in a Sendmail host's queues and why, and deliver it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# Each file adds its command to the app above, so they come after it.
from migrator.cli.toolbox import queue_flush, queue_list, queue_show, queue_top  # noqa: E402, F401
