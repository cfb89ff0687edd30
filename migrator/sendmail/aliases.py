"""Reads a table of aliases, and the lists of addresses that aliases and .forward files hold.

The form is that of aliases(5), of the Sendmail Installation and Operation Guide (1.6, "The aliases file") and of
sendmail/alias.c (readaliases): a backslash at a line's end joins the next one to it, a comment's too; a line
that begins with a blank goes on with the one just before, and with none behind a comment or an empty line; `#` in the
first column is a comment. Commas part the addresses; quotes, angle brackets and comments in parentheses keep one from
counting (sendmail/parseaddr.c, prescan).
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
    for line in _joined(text):
        if line[:1] in (" ", "\t"):
            # Behind nothing it is an error to Sendmail, which passes over it.
            current += line if current else ""
            continue
        if current:
            yield current
        current = "" if line[:1] == "#" else line
    if current:
        yield current


def _joined(text: str) -> Iterator[str]:
    """Yield the lines without their ends, those that a backslash joins as one (tried on Sendmail 8.17.1)."""
    begun = ""
    for raw in lines(text):
        whole = begun + raw
        if whole.endswith("\\\n"):
            begun = whole[:-2]
            continue
        begun = ""
        yield whole.rstrip("\r\n")
    if begun:
        yield begun


def _cut(text: str, mark: str) -> tuple[str, str | None]:
    """Return what stands before the first mark that counts, and what stands behind it, None for no mark."""
    quoted = escaped = False
    comment = angle = 0
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and not comment:
            quoted = not quoted
        elif quoted:
            continue
        elif character in "()":
            comment = max(0, comment + (1 if character == "(" else -1))
        elif character in "<>" and not comment:
            angle = max(0, angle + (1 if character == "<" else -1))
        elif character == mark and not (comment or angle):
            return text[:index], text[index + 1 :]
    return _cut_anywhere(text, mark) if comment or angle else (text, None)


def _cut_anywhere(text: str, mark: str) -> tuple[str, str | None]:
    """Cut a text whose brackets do not end: Sendmail takes it for no address, and nothing of it may be lost."""
    before, found, behind = text.partition(mark)
    return before, behind if found else None


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name
