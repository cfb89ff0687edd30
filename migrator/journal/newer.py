"""What a line of a journal may hold that only a later version of the program can have written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_args

from migrator.change import AddressSet, Change, Command, FileEdit, Undo
from migrator.event import Kind
from migrator.journal.state import FORMAT

_PARTS: Mapping[str, type] = {"files": FileEdit, "sets": AddressSet}
"""What the lists in a command hold."""


def unknown(content: object) -> str:
    """Given a line of a journal as JSON, return in words what this version does not know in it; "" where it knows all.

    A line that is damaged is none of its business: what it lacks, or holds in another shape, is not looked at.
    """
    return next(_unknown(content), "") if isinstance(content, dict) else ""


def _unknown(content: Mapping[str, Any]) -> Iterator[str]:
    data = content.get("data")
    known = data if isinstance(data, dict) else {}
    for place in (content, known):
        if isinstance(number := place.get("format"), int) and number > FORMAT:
            yield f"the format {number}, and this version knows {FORMAT}"
    kind = content.get("kind")
    if isinstance(kind, str) and kind not in set(Kind):
        yield f"the event {kind!r}"
    if kind == Kind.CHANGE_PLANNED and isinstance(change := known.get("change"), dict):
        yield from _other(change, Change, "a change")
        for side in ("do", "undo"):
            yield from _command(change.get(side), side)


def _command(given: object, side: str) -> Iterator[str]:
    if isinstance(given, str):
        if side == "undo" and given not in {word.value for word in Undo}:
            yield f"the undo {given!r}"
    elif isinstance(given, dict) and isinstance(kind := given.get("kind"), str):
        shape = _commands().get(kind)
        if shape is None:
            yield f"the command {kind!r}"
        else:
            yield from _other(given, shape, f"the command {kind!r}")


def _other(given: Mapping[str, Any], shape: type, words: str) -> Iterator[str]:
    """Yield the keys that a shape does not have, also of what its lists hold."""
    names = {field.name for field in fields(shape)}
    if new := sorted(given.keys() - names):
        yield f"{', '.join(map(repr, new))} of {words}"
    for key, part in _PARTS.items():
        parts = given.get(key)
        for each in parts if key in names and isinstance(parts, list) else ():
            if isinstance(each, dict):
                yield from _other(each, part, f"{key!r} of {words}")


@cache
def _commands() -> Mapping[str, type]:
    return {
        str(field.default): shape
        for shape in get_args(Command)
        for field in fields(shape)
        if field.name == "kind"
    }
