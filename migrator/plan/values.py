"""One value of a plan each: what TOML gave in, what the plan holds out, ValueError with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from migrator.plan.endpoint import parse_endpoint
from migrator.plan.shapes import Window

T = TypeVar("T")
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_RATE = re.compile(r"([0-9]{1,13})([KMG]?)")
_POWERS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_WINDOW = re.compile(r"(\S+)/([0-9]{1,3}):([0-5][0-9])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?\[\]@!&()*+,=%-]+")
_URL = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::([0-9]{1,5}))?(?:/.*)?")


def shown(value: object) -> str:
    """Return a value as a fault shows it: quoted, and never longer than a line bears."""
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def text(value: object) -> str:
    """Return a text without control characters."""
    if not isinstance(value, str):
        raise ValueError("has to be a text in quotes")
    if _CONTROL.search(value):
        raise ValueError("holds a control character")
    return value


def matching(pattern: str, meaning: str) -> Callable[[object], str]:
    """Given a regular expression and what it asks for, return a parser of texts that match it as a whole."""
    compiled = re.compile(pattern)

    def parse(value: object) -> str:
        if not compiled.fullmatch(text(value)):
            raise ValueError(f"{shown(value)} is not {meaning}")
        return text(value)

    return parse


def boolean(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("has to be true or false, without quotes")
    return value


def number(least: int, most: int) -> Callable[[object], int]:
    """Given both bounds, return a parser of whole numbers within them."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"has to be a whole number from {least} to {most}")
        return value

    return parse


def decimal(least: float, most: float) -> Callable[[object], float]:
    """Given both bounds, return a parser of numbers within them, with or without decimals."""

    def parse(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"has to be a number from {least:g} to {most:g}")
        return float(value)

    return parse


def auto_or(parse: Callable[[object], T]) -> Callable[[object], T | Literal["auto"]]:
    """Given a parser, return one that takes "auto" as well."""

    def parse_either(value: object) -> T | Literal["auto"]:
        if value == "auto":
            return "auto"
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f'{error}, or "auto"') from None

    return parse_either


def rate(value: object) -> int:
    """Given "10M" or the like, return bytes a second, K, M and G being powers of 1024 as in rsync's --bwlimit.

    "" is 0, no limit.
    """
    if value == "":
        return 0
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError('has to be bytes a second in quotes: a number and K, M or G, such as "10M"')
    bytes_a_second = int(found[1]) * _POWERS[found[2]]
    if not _POWERS["K"] <= bytes_a_second <= 1024 * _POWERS["G"]:
        raise ValueError(f"{shown(value)} is not from 1K to 1024G bytes a second")
    return bytes_a_second


def choice(*choices: T) -> Callable[[object], T]:
    """Given all that may stand there, return a parser that takes one of them."""

    def parse(value: object) -> T:
        for each in choices:
            if value == each:
                return each
        raise ValueError(f"{shown(value)} is none of {', '.join(str(each) for each in choices)}")

    return parse


def list_of(parse: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """Given the parser of one element, return a parser of lists; a reason names the element by its number."""

    def parse_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError("has to be a list in brackets")
        elements, reasons = [], []
        for position, element in enumerate(value, 1):
            try:
                elements.append(parse(element))
            except ValueError as error:
                reasons.append(f"element {position}: {error}")
        if reasons:
            raise ValueError("; ".join(reasons))
        return tuple(elements)

    return parse_all


def without_twins(values: Sequence[T]) -> None:
    """Raise ValueError where something stands twice in a list."""
    twins = [str(value) for index, value in enumerate(values) if value in values[:index]]
    if twins:
        raise ValueError(f"{', '.join(twins)} stands there twice")


def duration(least: str, most: str) -> Callable[[object], timedelta]:
    """Given both bounds as durations, return a parser of durations such as "48h", "15m", "90s", "2d"."""

    def parse(value: object) -> timedelta:
        found = _parse_duration(value)
        if not _parse_duration(least) <= found <= _parse_duration(most):
            raise ValueError(f"{shown(value)} is not from {least} to {most}")
        return found

    return parse


def _parse_duration(value: object) -> timedelta:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError('has to be a duration in quotes: a number and s, m, h or d, such as "15m"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def window(value: object) -> Window | None:
    """Given START/LENGTH, an ISO 8601 time with its offset and hours:minutes, return the window.

    "" is none.
    """
    if value == "":
        return None
    found = _WINDOW.fullmatch(text(value))
    if not found:
        raise ValueError(f'{shown(value)} is not START/HH:MM, such as "2026-11-29T02:00+01:00/04:00"')
    try:
        start = datetime.fromisoformat(found[1])
    except ValueError:
        raise ValueError(f"{shown(found[1])} is not a time such as 2026-11-29T02:00+01:00") from None
    if start.tzinfo is None:
        raise ValueError(f"{shown(found[1])} lacks its offset from UTC, such as +01:00 or Z")
    length = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if not length:
        raise ValueError("the window is open for no time at all")
    if not 2000 <= start.year <= 2200:
        raise ValueError(f"the year {start.year} cannot be meant")
    return Window(start, length)


def ssh_destination(value: object) -> str:
    """Return an ssh destination, user@host[:port] or an alias, as it stands."""
    parse_endpoint(text(value))
    return text(value)


def operator_file(folder: Path) -> Callable[[object], Path]:
    """Given the plan's folder, return a parser of the operator's own paths: relative to it, or from ~."""

    def parse(value: object) -> Path:
        if not text(value):
            raise ValueError("is empty")
        try:
            return folder / Path(text(value)).expanduser()
        except RuntimeError:
            raise ValueError(f"{shown(value)}: there is no such home folder") from None

    return parse


def url(value: object) -> str:
    """Return an http or https URL, in characters that mean nothing to a web server's configuration."""
    if not _URL_CHARACTERS.fullmatch(text(value)):
        raise ValueError(f"{shown(value)} holds what a URL spells with %, such as a space, a quote, $ or #")
    found = _URL.fullmatch(text(value))
    if not found or not 1 <= int(found[1] or 80) <= 65535:
        raise ValueError(f"{shown(value)} is not a URL such as https://webmail.example.test/")
    return text(value)
