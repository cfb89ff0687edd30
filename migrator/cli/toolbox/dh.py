"""`migrate sendmail dh`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail


@command(sendmail, "dh", short_help="Measure and renew the Diffie-Hellman parameters of STARTTLS.")
def dh(
    common: Common,
    *,
    bits: Annotated[int, typer.Option(help="The size of the new parameters.")] = 2048,
    named: Annotated[
        str,
        typer.Option(
            metavar="GROUP",
            help="A group of RFC 7919 (ffdhe2048, ffdhe3072, …) instead of generated parameters.",
        ),
    ] = "",
    look: Annotated[bool, typer.Option("--look", help="Only measure what the host offers.")] = False,
) -> int:
    """Measure what STARTTLS of a host really offers to Diffie-Hellman; make it safe against Logjam.

    \b
    Examples:
      migrate sendmail dh --host root@198.51.100.10 --look
      migrate sendmail dh --host root@198.51.100.10 --named ffdhe3072
    """
    from migrator.cli.toolbox.driving import measure, perform
    from migrator.toolbox.dh import Dh

    make = measure if look else perform
    return make(common, lambda chosen: Dh(chosen.host, bits=bits, named=named))
