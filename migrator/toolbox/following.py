"""Where mail for a name of a host goes next: by its aliases and the .forward of its users."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.sendmail import forward


def follower(
    reader: Reader, facts: HostFacts, aliases: Mapping[str, Sequence[str]], domains: Collection[str]
) -> Callable[[str], tuple[str, ...]]:
    """Given a host, its aliases and its domains (class w), return what tells the names of the host a name leads to.

    An alias counts before the .forward of a user of the same name, as in sendmail/recipient.c. Names are in lower
    case; what leads elsewhere is left out.
    """

    def follow(name: str) -> tuple[str, ...]:
        if name in aliases:
            return forward.users_here(aliases[name], domains)
        account = facts.accounts.get(name)
        home = account.home.rstrip("/") if account else ""
        return forward.users_here(forward.targets(_text(reader, f"{home}/.forward")), domains) if home else ()

    return follow


def _text(reader: Reader, path: str) -> str:
    try:
        return reader.read_file(path) or ""
    except CommandFailed:
        return ""  # Sendmail cannot read it either
