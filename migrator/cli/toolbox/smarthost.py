"""`migrate sendmail smarthost`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail
from migrator.secret import Secret


@command(sendmail, "smarthost", short_help="Relay all mail by a provider's server, with a login there.")
def smarthost(
    common: Common,
    *,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="The provider's server, by its name.")],
    port: Annotated[int, typer.Option(help="Its port.")] = 587,
    user: Annotated[
        str, typer.Option(metavar="USER", help="The user there; without it there is no login.")
    ] = "",
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the password is, on one line, mode 0600.  [default: it is asked for]",
            show_default=False,
        ),
    ] = None,
    mechanism: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="How to log in.  [default: PLAIN]")
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Send password and mail without TLS too.")
    ] = False,
    test: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Send a message there, through the server.")
    ] = "",
) -> int:
    """Relay all mail for elsewhere by a provider's server: SMART_HOST, authinfo, and TLS demanded of it.

    The password is never part of a command line, of the journal or of what is shown.

    \b
    Example:
      migrate sendmail smarthost smtp.example.net --user shop --password-file shop.password --host root@198.51.100.10
    """
    from migrator.cli.toolbox.driving import perform
    from migrator.toolbox.smarthost import Login, Smarthost

    login = (
        Login(user, _password(password_file, user), " ".join(mechanism or ["PLAIN"]).upper())
        if user
        else None
    )
    return perform(
        common,
        lambda chosen: Smarthost(
            chosen.host, server, port=port, login=login, secure=not plaintext, test=test
        ),
    )


def _password(file: Path | None, user: str) -> Secret:
    """Return the password, from a file that nobody else can read or from the terminal. Raises UsageError."""
    from migrator.toolbox.passwords import password_of

    if file is None:
        return Secret(typer.prompt(f"The password of {user}", hide_input=True, err=True))
    return password_of(file)
