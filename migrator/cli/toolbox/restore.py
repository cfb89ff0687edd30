"""`migrate sendmail restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail


@command(sendmail, "restore", short_help="Put Sendmail's files back as a backup holds them.")
def restore(
    common: Common,
    *,
    path: Annotated[
        str,
        typer.Option("--from", metavar="PATH", help="An archive on the host.  [default: the newest]"),
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="An archive that was fetched.", show_default=False),
    ] = None,
) -> int:
    """Put Sendmail's files back as an archive holds them: digests verified, maps rebuilt, loaded, compared.

    \b
    Examples:
      migrate sendmail restore --host root@198.51.100.10 --dry-run
      migrate sendmail restore --host root@198.51.100.10 --file mail-host.tar
    """
    from migrator.cli.toolbox.archives import put_back

    return put_back(common, path, file)
