"""`migrate sendmail harden`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from migrator.cli.toolbox.common import Common, command
from migrator.cli.toolbox.sendmail import sendmail
from migrator.errors import UsageError


@command(sendmail, "harden", short_help="Show and set the options that keep abuse out.")
def harden(
    common: Common,
    *,
    items: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ITEM[=VALUE]]...", help="What to set; without one, all is only shown."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Set every item.")] = False,
    blocklist: Annotated[
        list[str] | None, typer.Option(metavar="ZONE", help="A DNS blocklist to ask. May be repeated.")
    ] = None,
    resolver: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Check blocklists by this resolver.  [default: the host's own]"),
    ] = "",
) -> int:
    """Show every item of hardening as on, off or different; set those that are named, or all.

    A number that is stricter than the usual one counts as on. Blocklists are checked by their test entries: one that
    does not answer is not asked, and removed where it is.

    \b
    Examples:
      migrate sendmail harden --host root@198.51.100.10
      migrate sendmail harden helo greeting recipients=100 --host root@198.51.100.10
      migrate sendmail harden --all --host root@198.51.100.10
    """
    from migrator.cli.toolbox.driving import measure, perform
    from migrator.toolbox.harden import Harden

    if items and everything:
        raise UsageError("Items and --all are two ways to say what to set", advice="give one of them")
    look_up = (lambda names: _by(resolver, names)) if resolver else None
    make = perform if items or everything else measure
    return make(
        common, lambda chosen: Harden(chosen.host, items or (), zones=blocklist or (), look_up=look_up)
    )


def _by(resolver: str, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    from migrator.net.resolver import Resolver

    asking = Resolver(())
    return {
        name: tuple(
            address
            for answer in asking.query_resolvers(name, (resolver,))
            if answer.rdtype == "A"
            for address in answer.addresses
        )
        for name in names
    }
