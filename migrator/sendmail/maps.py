"""Reads and edits Sendmail's line-oriented tables: mailertable, access, virtusertable, genericstable,
domaintable.

How a line is read is how makemap reads it (makemap(8)): a `#` in the first column is a comment, the key ends
at the first blank and is folded to lower case, of two lines with one key the first counts, a leading blank is
an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from migrator.sendmail.text_error import TextError

_BLANK = " \t\n\r\f\v"
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table: its key as it is written, and its value."""

    key: str
    value: str

    @property
    def line(self) -> str:
        """The entry as it stands in a table, without the line's end."""
        return f"{self.key}\t{self.value}"


def parse(text: str) -> tuple[Entry, ...]:
    """Given a table, return its entries in order, without comments and what makemap refuses."""
    return tuple(entry for entry in map(_entry, lines(text)) if entry is not None)


def lookup(text: str, key: str) -> str | None:
    """Given a table, return the value of a key in any case, None where the key is not in it."""
    return next((entry.value for entry in parse(text) if fold(entry.key) == fold(key)), None)


def set_entry(text: str, key: str, value: str) -> str:
    """Given a table, return it with this value for the key, and every other line as it is, byte for byte.

    A line that says so already stays as it is written; else the first line of the key is replaced, and
    further ones go, for makemap fails on them; a new key comes last. Raise TextError for a key or a value
    that would not be read back as it is.
    """
    return set_entries(text, (Entry(key, value),))


def set_entries(text: str, entries: Iterable[Entry]) -> str:
    """Given a table, return it with all of these entries, as set_entry would leave it, in one reading of the table.

    Of two entries for one key the last counts. Raise TextError as set_entry does.
    """
    wanted: dict[str, Entry] = {}
    for one in entries:
        wanted[fold(one.key)] = checked(one.key, one.value)
    found: set[str] = set()
    kept = []
    for line in lines(text):
        present = _entry(line)
        entry = wanted.get(fold(present.key)) if present else None
        if present is None or entry is None:
            kept.append(line)
        elif (key := fold(present.key)) not in found:
            found.add(key)
            kept.append(line if present.value == entry.value else entry.line + _end(line))
    return append_lines("".join(kept), [one.line for key, one in wanted.items() if key not in found])


def remove_entry(text: str, key: str) -> str:
    """Given a table, return it without every line of a key in any case, and with all others as they are."""
    return "".join(line for line in lines(text) if not _is_for(line, key))


def checked(key: str, value: str) -> Entry:
    """Given a key and a value, return their entry. Raise TextError where a table would not give them back."""
    entry = Entry(key, value)
    if (
        any(not character.isprintable() for character in value.replace("\t", " "))
        or _entry(entry.line) != entry
    ):
        raise TextError(f"{key!r} and {value!r} cannot stand in a table of Sendmail")
    return entry


def lines(text: str) -> list[str]:
    """Given a text, return its lines with their ends; only a line feed ends a line, as for Sendmail."""
    return _LINE.findall(text)


def append_line(text: str, line: str) -> str:
    """Given a text, return it with a line more, ended as its others are."""
    return append_lines(text, (line,))


def append_lines(text: str, more: Sequence[str]) -> str:
    """Given a text, return it with these lines more, ended as its others are."""
    if not more:
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    gap = end if text and not text.endswith("\n") else ""
    return f"{text}{gap}{end.join(more)}{end}"


def fold(key: str) -> str:
    """Given a key or a host name, return it as makemap stores it: with ASCII letters in lower case."""
    if key.isascii():
        return key.lower()
    return "".join(character.lower() if character.isascii() else character for character in key)


def _entry(line: str) -> Entry | None:
    if line[:1] in ("#", "") or line[0] in _BLANK:
        return None
    key = re.split(f"[{_BLANK}]", line, maxsplit=1)[0]
    return Entry(key, line[len(key) :].strip(_BLANK))


def _is_for(line: str, key: str) -> bool:
    entry = _entry(line)
    return entry is not None and fold(entry.key) == fold(key)


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
