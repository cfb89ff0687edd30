"""`migrate sendmail backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail


@command(sendmail, "backup", short_help="Keep Sendmail's files and maps, dated, with their digests.")
def backup(
    common: Common,
    *,
    folder: Annotated[
        str, typer.Option("--folder", metavar="FOLDER", help="Where on the host.")
    ] = "/var/backups/migrate",
    fetch: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Copy the archive to this file here as well.", show_default=False),
    ] = None,
) -> int:
    """Keep sendmail.mc, sendmail.cf, the maps and all that they name in one dated archive on the host.

    Only root can read it, for a map may hold passwords. Where nothing changed since the newest, none is made.

    \b
    Examples:
      migrate sendmail backup --host root@198.51.100.10
      migrate sendmail backup --host root@198.51.100.10 --fetch mail-host.tar
    """
    from migrator.cli.toolbox.archives import keep

    return keep(common, folder, fetch)
