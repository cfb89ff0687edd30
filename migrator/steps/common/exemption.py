"""Sparing one host the limits that the other sets against strangers: all late mail comes from its one address."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from migrator.change import Change, HostName
from migrator.errors import VerifyFailed
from migrator.hosts.derived import Derived
from migrator.sendmail import maps, mc, routes
from migrator.steps.base import Context
from migrator.steps.common.configure import ACCESS, MC, change, read


def spared(
    context: Context, host: HostName, addresses: tuple[str, ...], *, edited: Collection[Derived] | None = None
) -> Iterator[Change]:
    """Yield the change of a host's access map that exempts addresses from rate, connection and blocklist checks.

    `edited` is what `configure.change` takes.
    """
    sources = read(context, host)
    text = sources.text(MC)
    if sources.cf.map("access") is None:
        text = mc.ensure_feature(text, "access_db")
    path = sources.map_path("access", ACCESS)
    wanted = {MC: text, path: _exempting(sources.text(path), addresses)}
    found = change(
        *(context, host, f"spare {' and '.join(addresses)} the limits of the {host} host", sources, wanted),
        edited=edited,
    )
    if found:
        yield found


def expect_spared(context: Context, host: HostName, addresses: tuple[str, ...]) -> None:
    """Read the map anew. Raises VerifyFailed where an entry is missing."""
    sources = read(context, host)
    path = sources.map_path("access", ACCESS)
    text = sources.text(path)
    if sources.cf.map("access") is None or _exempting(text, addresses) != text:
        raise VerifyFailed(
            f"the {host} host's access map does not exempt the {'old' if host == 'new' else 'new'} host",
            host=host,
            expected=f"entries for {' and '.join(addresses)} in {path}",
            seen="some are missing, or access_db is not configured",
            advice="see who else edits this file",
        )


def _exempting(text: str, addresses: tuple[str, ...]) -> str:
    for address in addresses:
        for entry in routes.exemption_entries(address):
            text = maps.set_entry(text, entry.key, entry.value)
    return text
