"""The files of the operator's machine that a plan names, and which of them are not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from migrator.plan.flat import NOT_CONTENT, key_of, table_key
from migrator.plan.shapes import HostPlan, Plan

_USUAL = HostPlan("", ()).known_hosts


def named_by_itself(key: str, path: Path) -> bool:
    """Return whether a plan names this file by itself, and not by the default of the key."""
    return not (key.endswith(".known_hosts") and path == _USUAL)


def absent(
    plan: Plan, named: Callable[[str, Path], bool] = named_by_itself, *, without: tuple[str, ...] = ()
) -> dict[str, str]:
    """Given a plan, return what is wrong with each file of this machine that it names, by dotted key. Nothing is read.

    `named` says of a key and its path whether the plan names it, so that a default that nobody needs is no fault;
    tables that begin with one of `without` are passed over.
    """
    found = {
        key: _complaint(path)
        for key, path in _paths(plan)
        if named(key, path) and not key.startswith(without or ("\0",))
    }
    if plan.dns.command:
        found["dns.command"] = _complaint(Path(plan.dns.command[0]), program=True)
    return {key: complaint for key, complaint in found.items() if complaint}


def _paths(plan: Plan) -> Iterator[tuple[str, Path]]:
    for field in fields(plan):
        if field.name not in NOT_CONTENT:
            yield from _below(table_key(field.name), getattr(plan, field.name))


def _below(key: str, value: object) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield key, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _below(f"{key}.{key_of(field.name)}", getattr(value, field.name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _below(f"{key}[{index}]", item)


def _complaint(path: Path, *, program: bool = False) -> str:
    try:
        if not path.exists():
            return f"{path} is not there"
        if not path.is_file():
            return f"{path} is no file"
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not os.access(path, os.X_OK if program else os.R_OK):
        return f"{path} {'is not executable' if program else 'may not be read by this user'}"
    return ""
