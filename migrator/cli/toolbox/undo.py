"""`migrate sendmail undo`."""

from __future__ import annotations

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail


@command(sendmail, "undo", short_help="Undo the newest thing that a tool did to a host.")
def undo(common: Common) -> int:
    """Undo the newest thing that a tool did to a host, by the undo in its journal; typed again, the one before it.

    Refuses where a file was edited since: `--force edited-files` puts the files of before back all the same.

    \b
    Example:
      migrate sendmail undo --host root@198.51.100.10
    """
    from migrator.cli.toolbox.driving import undo_newest

    return undo_newest(common)
