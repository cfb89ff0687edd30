"""Tables of a plan under examination: every key is asked for once, and every fault is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from migrator.errors import Fault
from migrator.plan.lines import Lines

T = TypeVar("T")
_SECRETS = ("secret", "password", "passwd", "passphrase", "token", "private", "credential")


class Faults:
    """The faults of one plan, and where its keys stand."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._faults: list[Fault] = []

    def add(self, key: str, reason: str) -> None:
        """Keep a fault of a dotted key."""
        self._faults.append(Fault(key, self._lines.of(key), reason))

    def concern(self, *keys: str) -> bool:
        """Return whether one of these keys, or one below them, has a fault."""
        return any(
            fault.key == key or fault.key.startswith((f"{key}.", f"{key}["))
            for fault in self._faults
            for key in keys
        )

    def in_order(self) -> tuple[Fault, ...]:
        """Return all faults from the top of the plan to its end, those without a line last."""
        return tuple(sorted(self._faults, key=lambda fault: (fault.line is None, fault.line or 0)))


class Table:
    """One table: what is asked for becomes known, and `close` finds what nobody asked for."""

    def __init__(self, values: Mapping[str, object], path: str, faults: Faults) -> None:
        self._values = values
        self._path = path
        self._faults = faults
        self._known: list[str] = []
        self._tables: list[Table] = []

    def dotted(self, key: str) -> str:
        """Return a key of this table in full."""
        return f"{self._path}.{key}" if self._path else key

    def has(self, key: str) -> bool:
        """Return whether the plan holds a key. It counts as asked for."""
        self._known.append(key)
        return key in self._values

    def is_table(self, key: str) -> bool:
        """Return whether the plan holds a table under a key. It does not count as asked for."""
        return isinstance(self._values.get(key), dict)

    def value(self, key: str, parse: Callable[[object], T], default: T) -> T:
        """Return what `parse` makes of a key; the default where it is absent, or faulty and now a fault."""
        self._known.append(key)
        if key not in self._values:
            return default
        try:
            return parse(self._values[key])
        except ValueError as error:
            self._faults.add(self.dotted(key), str(error))
            return default

    def required(self, key: str, parse: Callable[[object], T], stand_in: T) -> T:
        """Return what `parse` makes of a key without default; the stand-in where it is absent or faulty."""
        if self._values.get(key) in (None, "", []):
            self._known.append(key)
            self._faults.add(
                self.dotted(key), "is empty: fill it in" if key in self._values else "is missing"
            )
            return stand_in
        return self.value(key, parse, stand_in)

    def table(self, key: str) -> Table:
        """Return the table below a key; an empty one where it is absent or not a table."""
        return self._below(self.value(key, _as_table, {}), self.dotted(key))

    def tables(self, key: str) -> list[Table]:
        """Return the tables of an array of tables; none where it is absent or not one."""
        none: list[Mapping[str, object]] = []
        found = self.value(key, _as_tables, none)
        return [self._below(values, f"{self.dotted(key)}[{index}]") for index, values in enumerate(found)]

    def _below(self, values: Mapping[str, object], path: str) -> Table:
        table = Table(values, path, self._faults)
        self._tables.append(table)
        return table

    def close(self) -> None:
        """Add a fault for every key that was not asked for, here and in all tables below."""
        for key in self._values:
            if key not in self._known:
                self._faults.add(self.dotted(key), _unknown(key, sorted(set(self._known))))
        for table in self._tables:
            table.close()


def _as_table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("has to be a table")
    return value


def _as_tables(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("has to be an array of tables in double brackets")
    return value


def _unknown(key: str, known: Iterable[str]) -> str:
    keepers = [name for name in known if name.endswith(("_file", "_env"))]
    if key == "key" or any(word in key.lower() for word in _SECRETS):
        where = (
            " or ".join(keepers)
            if keepers
            else "a *_file key, or the environment of the program that needs it"
        )
        return f"no secret stands in a plan: say where it is with {where}"
    near = get_close_matches(key, list(known), 1)
    return f"unknown key; nearest: {near[0]}" if near else f"unknown key; known here: {', '.join(known)}"
