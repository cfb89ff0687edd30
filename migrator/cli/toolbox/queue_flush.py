"""`migrate queue flush`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.queue import queue


@command(queue, "flush", short_help="Deliver what waits, and say what stays and why.")
def flush(
    common: Common,
    *,
    recipient: Annotated[str, typer.Option(metavar="ADDRESS", help="Mail for this address.")] = "",
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Mail for this domain.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All mail of both queues.")] = False,
) -> int:
    """Try to deliver what waits, however young it is; say what left and what stayed and why.

    Ends with 0 where nothing stays, with 75 where something does: the host goes on trying it.

    \b
    Examples:
      migrate queue flush --host root@198.51.100.10 --domain example.test
      migrate queue flush --host root@198.51.100.10 --all --yes
    """
    from migrator.cli.toolbox.driving import perform
    from migrator.cli.toolbox.target import Target
    from migrator.errors import NotReady
    from migrator.toolbox.flush import Flush

    made: list[Flush] = []

    def make(chosen: Target) -> Flush:
        made.append(Flush(chosen.host, recipient=recipient, domain=domain, everything=everything))
        return made[-1]

    code = perform(common, make)
    return NotReady.exit_code if made[-1].stayed else code
