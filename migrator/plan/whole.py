"""A plan from its flattened form: the one that a journal holds, read back without the file that it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from migrator.plan import sendmail, values
from migrator.plan.flat import NOT_CONTENT, key_of, table_key
from migrator.plan.shapes import Plan, Window

_DURATION = re.compile(r"([0-9]+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def unflatten(flat: Mapping[str, str], path: Path, state_root: Path | None = None) -> Plan:
    """Given what `flatten` made of a plan, and where that plan and its state lie now, return the plan.

    A key that is not there has its default, as in a plan of an earlier version. Raises ValueError for a key that this
    version does not know, and for a value that no plan would hold.
    """
    reading = _Reading(flat, path.parent)
    found = {
        field.name: reading.value(_hints(Plan)[field.name], table_key(field.name))
        for field in fields(Plan)
        if field.name not in NOT_CONTENT
    }
    plan = Plan(path=path, state_root=state_root, **_given(Plan, found))
    if unknown := sorted(flat.keys() - reading.known):
        raise ValueError(f"unknown: {', '.join(unknown)}")
    return plan


_ABSENT = object()


class _Reading:
    """The keys of a flattened plan, and which of them were asked for. Given the folder that paths are relative to."""

    def __init__(self, flat: Mapping[str, str], folder: Path) -> None:
        self._flat = flat
        self._folder = folder
        self.known: set[str] = set()

    def value(self, hint: Any, key: str) -> Any:
        """Return what stands under a key, as the type says; _ABSENT where nothing does."""
        options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        if type(None) in options and self._flat.get(key) == "":
            self.known.add(key)
            return None
        options = tuple(option for option in options if option is not type(None))
        if len(options) == 1 and is_dataclass(options[0]) and options[0] is not Window:
            return self._table(options[0], key)
        if len(options) == 1 and get_origin(options[0]) is tuple and is_dataclass(get_args(options[0])[0]):
            return self._tables(get_args(options[0])[0], key)
        if key not in self._flat:
            return _ABSENT
        self.known.add(key)
        return self._first_of(options, key)

    def _table(self, shape: Any, key: str) -> Any:
        if not any(known.startswith(f"{key}.") for known in self._flat):
            return _ABSENT
        found = {
            field.name: self.value(_hints(shape)[field.name], f"{key}.{key_of(field.name)}")
            for field in fields(shape)
        }
        return shape(**_given(shape, found))

    def _tables(self, shape: Any, key: str) -> Any:
        found: list[Any] = []
        while (table := self._table(shape, f"{key}[{len(found)}]")) is not _ABSENT:
            found.append(table)
        if key in self._flat:  # an array of none
            self.known.add(key)
        return tuple(found) if found or key in self._flat else _ABSENT

    def _first_of(self, options: tuple[Any, ...], key: str) -> Any:
        text = self._flat[key]
        for option in options:
            try:
                return _parsed(option, text, self._folder)
            except ValueError:
                continue
        raise ValueError(f"{key} cannot be {values.shown(text)}")


def _given(shape: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was found of a shape. Raises ValueError where something is absent that has no default."""
    for field in fields(shape):
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and found.get(field.name, 0) is _ABSENT:
            raise ValueError(f"{key_of(field.name)} is missing")
    return {name: value for name, value in found.items() if value is not _ABSENT}


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape, localns={"SendmailPlan": sendmail.SendmailPlan})


def _parsed(hint: Any, text: str, folder: Path) -> Any:
    """Return a text as a value of the type. Raises ValueError where it is none."""
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise ValueError(text)
        return text
    if get_origin(hint) is tuple:
        return tuple(values.list_of(values.text)(json.loads(text)))
    if hint is bool:
        return {"true": True, "false": False}.get(text) if text in ("true", "false") else _refuse(text)
    if hint is Path:
        return folder / Path(text).expanduser()
    if hint is timedelta:
        found = _DURATION.fullmatch(text) or _refuse(text)
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    if hint is Window:
        return values.window(text)
    return hint(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)
