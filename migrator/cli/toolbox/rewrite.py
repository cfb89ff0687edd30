"""`migrate sendmail rewrite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail
from migrator.errors import UsageError


@command(sendmail, "rewrite", short_help="Let mail of local users leave with their public addresses.")
def rewrite(
    common: Common,
    *,
    domain: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A domain whose senders are looked up. May be repeated."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV of login and address.  [default: LOGIN@NAME for every account]",
            show_default=False,
        ),
    ] = None,
    look: Annotated[bool, typer.Option("--look", help="Only show how senders are rewritten now.")] = False,
) -> int:
    """Let mail of local users leave with their public addresses, in header and envelope (genericstable).

    \b
    Examples:
      migrate sendmail rewrite --domain example.test --table users.csv --host root@198.51.100.10
      migrate sendmail rewrite --domain example.test --host root@198.51.100.10 --look
    """
    from migrator.cli.toolbox.driving import measure, perform
    from migrator.sendmail.genericstable import rows_of_csv
    from migrator.sendmail.text_error import TextError
    from migrator.toolbox.rewrite import Rewrite

    try:
        rows = rows_of_csv(table.read_text(encoding="utf-8")) if table else None
    except (OSError, UnicodeDecodeError, TextError) as error:
        raise UsageError(f"{table} cannot be used: {error}", host="operator") from None
    make = measure if look else perform
    return make(common, lambda chosen: Rewrite(chosen.host, domain or [], rows))
