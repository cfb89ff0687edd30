"""A plan as dotted keys and texts: what is compared, hashed, and shown when a plan has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.plan.shapes import Plan

NOT_CONTENT = frozenset({"path", "state_root"})
"""The fields of a plan that say where it lies, and nothing of what it means."""

_MIGRATION = frozenset({"name", "domains", "mail_host"})
_TABLES = {"copying": "sync"}
_KEYS = {"source": "from", "target": "to", "addresses": "address"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def flatten(plan: Plan) -> dict[str, str]:
    """Given a plan, return its dotted keys as a user would write them, each with its value as text.

    Where the plan and its state lie is left out: a plan that was moved with its folder is the same.
    """
    flat: dict[str, str] = {}
    for field in fields(plan):
        if field.name not in NOT_CONTENT:
            flat.update(_flatten(table_key(field.name), getattr(plan, field.name), plan.path.parent))
    return flat


def table_key(field: str) -> str:
    """Given the name of a field of a plan, return its key, or that of its table."""
    return ("migration." if field in _MIGRATION else "") + _TABLES.get(field, field)


def key_of(field: str) -> str:
    """Given the name of a field of a table, return its key."""
    return _KEYS.get(field, field)


def digest(flat: Mapping[str, str]) -> str:
    """Given a flattened plan, return its SHA-256 in hexadecimal, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Given two flattened plans, return each key that differs, with both values ("absent": in one)."""
    keys = sorted(before.keys() | after.keys())
    pairs = {key: (before.get(key, "absent"), after.get(key, "absent")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def duration_text(duration: timedelta) -> str:
    """Given whole seconds, return them as a plan writes them, in the largest unit: "48h" is "2d"."""
    seconds = int(duration.total_seconds())
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _flatten(key: str, value: object, folder: Path) -> Iterator[tuple[str, str]]:
    if is_dataclass(value) and not hasattr(value, "start"):
        for field in fields(value):
            yield from _flatten(f"{key}.{key_of(field.name)}", getattr(value, field.name), folder)
    elif isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        for index, item in enumerate(value):
            yield from _flatten(f"{key}[{index}]", item, folder)
    else:
        yield key, _text(value, folder)


def _text(value: object, folder: Path) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case timedelta():
            return duration_text(value)
        case Path():
            return _path_text(value, folder)
        case tuple():
            return json.dumps(list(value), ensure_ascii=False)
        case _:
            return str(value)


def _path_text(path: Path, folder: Path) -> str:
    """Return a path relative to the plan or to the home folder, so that it reads the same after a move."""
    for base, prefix in ((folder, ""), (Path("~").expanduser(), "~/")):
        if path.is_relative_to(base):
            return prefix + str(path.relative_to(base))
    return str(path)
