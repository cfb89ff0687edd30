"""Reads a table of aliases, and the lists of addresses that aliases and .forward files hold.

The form is that of aliases(5) and of the Sendmail Installation and Operation Guide (1.6, "The aliases file"): a
line that begins with a blank goes on with the one before, `#` in the first column is a comment, commas part the
addresses, and quotes keep a comma or a colon from counting.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator import host_text
from migrator.sendmail.cf import Configuration
from migrator.sendmail.maps import fold, lines


def files(configuration: Configuration) -> tuple[str, ...]:
    """Given a sendmail.cf, return the sources of its aliases: AliasFile without types (`hash:`) and options."""
    value = configuration.option("AliasFile") or "/etc/mail/aliases"
    words = (host_text.words(part.rpartition(":")[2])[-1:] for part in value.split(","))
    return tuple(word[0] for word in words if word and word[0].startswith("/"))


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Given a table of aliases, return what each name in lower case leads to; of two lines of a name the first."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in _entries(text):
        name, rest = _cut(entry, ":")
        if host_text.stripped(name) and rest is not None:
            found.setdefault(fold(_unquoted(host_text.stripped(name))), addresses(rest))
    return found


def addresses(text: str) -> tuple[str, ...]:
    """Given addresses parted by commas, return them as they are written, without blanks around them."""
    found = []
    rest: str | None = text
    while rest is not None:
        address, rest = _cut(rest, ",")
        if host_text.stripped(address):
            found.append(host_text.stripped(address))
    return tuple(found)


def _entries(text: str) -> Iterator[str]:
    current = ""
    for raw in lines(text):
        line = raw.rstrip("\r\n")
        if line[:1] == "#":
            continue
        if line[:1] in (" ", "\t"):
            current += line
            continue
        if current:
            yield current
        current = line
    if current:
        yield current


def _cut(text: str, mark: str) -> tuple[str, str | None]:
    """Return what stands before the first mark outside quotes, and what stands behind it, None for no mark."""
    quoted = escaped = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == mark and not quoted:
            return text[:index], text[index + 1 :]
    return text, None


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name
