"""What the access map says of a client as Sendmail looks it up: which line counts, not which line there is.

The order is that of the rulesets A (LookUpAddress) and D (LookUpDomain) of cf/m4/proto.m4: the whole address or
name first, with its tag and then, where the check allows it, without one; then without its last number (its first
label), and so on. The first line that is found counts, also where a wider one says more: `Connect:198.51.100.10 OK`
hides `Connect:198.51.100 RELAY`, and `198.51.100.10 OK` without a tag is hidden by `Connect:198.51.100.10`. SKIP ends
the search as if nothing were there. At a connection the client's name is looked up before its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from migrator.sendmail import maps
from migrator.sendmail.maps import Entry
from migrator.sendmail.routes import address_keys, checked_domain

TAGS = ("ClientRate", "ClientConn", "GreetPause")
"""The tags of limits against strangers; they are looked up with the tag alone."""

_ACCEPTED = ("OK", "RELAY")
_LAST = re.compile(r"(.+?)(::|:|\.)[^:.]+")


class Table:
    """An access map that was read once, for many questions."""

    def __init__(self, text: str) -> None:
        self._entries: dict[str, Entry] = {}
        for entry in maps.parse(text):
            self._entries.setdefault(maps.fold(entry.key), entry)

    def by_address(self, form: str, tag: str, *, untagged: bool = False) -> Entry | None:
        """Given an address in one of the forms of `address_keys`, and a tag, return the line that counts for it.

        `untagged`: a line without the tag counts too, as for Connect. None where there is none, or SKIP.
        """
        return self._first(_of_address(form), tag, untagged=untagged)

    def by_name(self, name: str, tag: str, *, untagged: bool = False) -> Entry | None:
        """Given a client's name, do the same."""
        return self._first(_of_name(name), tag, untagged=untagged)

    def _first(self, levels: Iterator[str], tag: str, *, untagged: bool) -> Entry | None:
        for level in levels:
            for key in (f"{tag}:{level}", *([level] if untagged else [])):
                found = self._entries.get(maps.fold(key))
                if found is not None:
                    return None if found.value.upper() == "SKIP" else found
        return None


def accepts(entry: Entry | None) -> bool:
    """Given the line that counts for a connection, return whether it lets it pass every list (OK, RELAY)."""
    return entry is not None and entry.value.upper() in _ACCEPTED


def barriers(text: str, addresses: Sequence[str], names: Mapping[str, str]) -> tuple[Entry, ...]:
    """Given an access map, addresses and the names they have there, return the lines that refuse connections of them.

    REJECT, DISCARD, ERROR and every other word but OK and RELAY do. Raise TextError for what is no address.
    """
    table = Table(text)
    found: list[Entry | None] = []
    for address in addresses:
        if name := names.get(address):
            found.append(table.by_name(name, "Connect", untagged=True))
        found += [table.by_address(form, "Connect", untagged=True) for form in address_keys(address)]
    return tuple(dict.fromkeys(entry for entry in found if entry is not None and not accepts(entry)))


def missing(text: str, address: str, name: str = "") -> tuple[Entry, ...]:
    """Given an access map, an address and its name, return the lines that spare it every check, where none does yet.

    Rights stay: where the address may relay, no line is added that would hide that. Raise TextError for what is no
    address.
    """
    table = Table(text)
    wanted = []
    for form in address_keys(address):
        if not accepts(table.by_address(form, "Connect", untagged=True)):
            wanted.append(Entry(f"Connect:{form}", "OK"))
        wanted += [Entry(f"{tag}:{form}", "0") for tag in TAGS if _limited(table.by_address(form, tag))]
    # A pause is looked up by name first.
    if name and (paused := table.by_name(name, "GreetPause")) is not None and _limited(paused):
        wanted.append(Entry(f"GreetPause:{checked_domain(name)}", "0"))
    return tuple(wanted)


def _limited(entry: Entry | None) -> bool:
    return entry is None or entry.value != "0"


def _of_address(form: str) -> Iterator[str]:
    level: str | None = form
    while level:
        yield level
        found = _LAST.fullmatch(level)
        level = found[1] if found else None


def _of_name(name: str) -> Iterator[str]:
    level = name.rstrip(".")
    while level:
        yield level
        level = level.partition(".")[2]
