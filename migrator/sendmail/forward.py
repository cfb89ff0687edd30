r"""Writes and reads a .forward file, and follows where it leads.

The Sendmail Installation and Operation Guide (2.5, "Per-User Forwarding") and sendmail/recipient.c: each line
holds addresses parted by commas, a line that begins with `#` is a comment, and a backslash before a name keeps
it from being looked up again: `\user` is the mailbox itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from migrator import host_text
from migrator.sendmail.aliases import addresses
from migrator.sendmail.maps import fold, lines
from migrator.sendmail.text_error import TextError

DEFAULT_PATH = "$z/.forward.$w:$z/.forward"
"""Where Sendmail looks where ForwardPath is not set by its m4 configuration (cf/README, confFORWARD_PATH)."""

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")
_TARGET = re.compile(r"[A-Za-z0-9_+=&~^*{}%-][A-Za-z0-9._+=&~^*{}%-]*(@[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)?")


def checked_user(user: str) -> str:
    """Given the name of an account, return it. Raise TextError for what could mean anything else to a shell."""
    if not _USER.fullmatch(user):
        raise TextError(f"{user!r} is no name of an account")
    return user


def checked_target(address: str) -> str:
    """Given where mail shall go, return it: a user of the host or a plain address.

    Raise TextError for a program, a file, an `:include:` or anything that is no plain address: a .forward would
    run it or write to it.
    """
    if ".." in address or address.startswith("-") or not _TARGET.fullmatch(address):
        raise TextError(f"{address!r} is no plain mail address")
    return address


def text(user: str, targets: Sequence[str], *, keep: bool) -> str:
    r"""Given a user and the addresses, return the .forward that sends a copy to each; `keep` adds `\user`.

    Each stands on its own line, for a line has an end (MAXLINE, 2048 bytes). Raise TextError for no address.
    """
    wanted = [checked_target(target) for target in dict.fromkeys(targets)]
    if not wanted:
        raise TextError("a .forward needs an address")
    kept = [f"\\{checked_user(user)}"] if keep else []
    return "".join(f"{address}\n" for address in [*kept, *wanted])


def targets(content: str) -> tuple[str, ...]:
    """Given a .forward, return its addresses as they are written."""
    written = (line for line in lines(content) if not line.startswith("#"))
    return tuple(address for line in written for address in addresses(line))


def user_here(address: str, domains: Collection[str]) -> str:
    r"""Given an address and the domains of the host (class w), return the name that is looked up again for it.

    That is its local part in lower case, without a `+detail`; "" for an address elsewhere, a program, a file, and
    for `\user`, which is looked up no more.
    """
    address = host_text.stripped(address).removeprefix("<").removesuffix(">")
    if not address or address[0] in '\\|/:"':
        return ""
    local, mark, domain = address.rpartition("@")
    if mark and fold(domain).rstrip(".") not in domains:
        return ""
    return fold(local if mark else address).partition("+")[0]


def users_here(found: Iterable[str], domains: Collection[str]) -> tuple[str, ...]:
    """Given addresses and the domains of the host, return the names that are looked up again, in order."""
    return tuple(user for address in found if (user := user_here(address, domains)))


def loop(start: str, leads_to: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
    """Given a name and what tells which names it leads to, return the way back to a name on the way, () for none.

    The way begins and ends with the name that comes twice.
    """
    done: set[str] = set()
    way = [start]
    ahead = [iter(leads_to(start))]
    while way:
        following = next(ahead[-1], None)
        if following is None:
            done.add(way.pop())
            ahead.pop()
        elif following in way:
            return (*way[way.index(following) :], following)
        elif following not in done:
            way.append(following)
            ahead.append(iter(leads_to(following)))
    return ()


def expanded_path(path: str, *, home: str, user: str, host: str) -> tuple[str, ...]:
    """Given option ForwardPath, a user's home and name and the host's name ($w), return the files it stands for.

    They are in the order in which Sendmail looks; one with `$h` (a `+detail`) or another macro is left out.
    """
    values = {"z": home, "u": user, "w": host}
    found = []
    for pattern in path.split(":"):
        named = re.sub(r"\$([a-z])", lambda macro: values.get(macro[1], "$"), pattern)
        if named.startswith("/") and "$" not in named:
            found.append(named)
    return tuple(found)
