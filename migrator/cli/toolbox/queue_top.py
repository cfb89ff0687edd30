"""`migrate queue top`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.queue import queue


@command(queue, "top", short_help="Show for whom most mail waits.")
def top(
    common: Common,
    *,
    by: Annotated[
        str, typer.Option(metavar="WHAT", help="Count by recipient, sender, domain or reason.")
    ] = "recipient",
    most: Annotated[int, typer.Option("--most", min=1, help="How many lines.")] = 10,
) -> int:
    """Show for whom most mail waits, over the MTA's queue with its groups and the client queue.

    \b
    Examples:
      migrate queue top --host root@198.51.100.10
      migrate queue top --host root@198.51.100.10 --by reason
    """
    from migrator.cli.toolbox.looking import queue_top

    return queue_top(common, by, most)
