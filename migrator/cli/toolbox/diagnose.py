"""`migrate sendmail diagnose`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail


@command(sendmail, "diagnose", short_help="Say on one page what is wrong, and what the host is.")
def diagnose(
    common: Common,
    *,
    deliver: Annotated[
        str, typer.Option("--deliver", metavar="ADDRESS", help="Send one test message there as well.")
    ] = "",
) -> int:
    """Look at a host's Sendmail: what is wrong first, then what it is; nothing is changed.

    Ends with 1 where something is wrong.

    \b
    Examples:
      migrate sendmail diagnose --host root@198.51.100.10
      migrate sendmail diagnose --host root@198.51.100.10 --deliver postmaster@example.test
    """
    from migrator.cli.toolbox.diagnosing import diagnosed

    return diagnosed(common, deliver)
