"""`migrate queue list`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.queue import queue


@command(queue, "list", short_help="List the messages that wait, and why.")
def list_(
    common: Common,
    *,
    recipient: Annotated[str, typer.Option(metavar="ADDRESS", help="Only mail for this address.")] = "",
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Only mail for this domain.")] = "",
) -> int:
    """List the messages of both queues: number, queue, since when, tries, sender, recipients and reason.

    \b
    Example:
      migrate queue list --host root@198.51.100.10 --domain example.test
    """
    from migrator.cli.toolbox.looking import queue_list

    return queue_list(common, recipient=recipient, domain=domain)
