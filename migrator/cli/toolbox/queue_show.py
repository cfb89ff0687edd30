"""`migrate queue show`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.queue import queue


@command(queue, "show", short_help="Show one message of a queue.")
def show(
    common: Common,
    *,
    number: Annotated[str, typer.Argument(metavar="ID", help="The queue's number of the message.")],
    body: Annotated[bool, typer.Option("--body", help="Show what is written in it as well.")] = False,
) -> int:
    """Show one message: who waits for it and why, its files and headers, and what the log says of it.

    \b
    Example:
      migrate queue show 3ATC01aa000311 --host root@198.51.100.10
    """
    from migrator.cli.toolbox.looking import queue_show

    return queue_show(common, number, body=body)
