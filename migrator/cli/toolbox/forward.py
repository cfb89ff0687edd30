"""`migrate sendmail forward`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail


@command(sendmail, "forward", short_help="Send a user's mail on to other addresses.")
def forward(
    common: Common,
    *,
    user: Annotated[str, typer.Argument(metavar="USER", help="The account whose mail is sent on.")],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Where to. May be repeated.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep a copy in the user's own mailbox.")] = False,
) -> int:
    """Write a user's .forward so that Sendmail follows it, and prove that it does.

    \b
    Examples:
      migrate sendmail forward user01 --to someone@example.org --host root@198.51.100.10
      migrate sendmail forward user01 --to a@example.org --to b@example.org --keep --host root@198.51.100.10
    """
    from migrator.cli.toolbox.driving import perform
    from migrator.cli.toolbox.typed import checked
    from migrator.toolbox.forward import Forward

    with checked():
        Forward("new", user, tuple(to), keep=keep)
    return perform(common, lambda chosen: Forward(chosen.host, user, tuple(to), keep=keep))
