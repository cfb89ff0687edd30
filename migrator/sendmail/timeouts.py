"""How long a message waits in the queue before it goes back to its sender, by what sendmail.cf says.

The Sendmail Installation and Operation Guide (5.6, Timeout): queuereturn and queuewarn, each for all messages or for
those of one precedence, `normal`, `urgent`, `non-urgent`, and `dsn` for bounces; sendmail/readcf.c (settimeout) for the
units, days for the one and hours for the other where none is written, and for `now`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from migrator.sendmail.cf import Configuration

CLASSES = ("normal", "urgent", "non-urgent", "dsn")
"""The classes of messages that have times of their own."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"([0-9]{1,9})([smhdw]?)")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """By class, how long a message waits until it is returned, and until its sender is warned (0: never)."""

    returned: Mapping[str, timedelta]
    warned: Mapping[str, timedelta]

    @property
    def shortest(self) -> timedelta:
        """The shortest time after which any message is returned."""
        return min(self.returned.values())

    @property
    def first_warning(self) -> timedelta | None:
        """The shortest time after which any sender is warned; None where none is."""
        return min((value for value in self.warned.values() if value), default=None)

    def of_sender(self, sender: str) -> timedelta:
        """Given a message's sender ("" of a bounce), return the shortest time that may hold for it.

        Of which precedence a message is stands in its headers, so the shortest of the three counts.
        """
        return self.returned["dsn"] if not sender else min(self.returned[name] for name in CLASSES[:3])


def timeouts(configuration: Configuration) -> Timeouts:
    """Given a sendmail.cf, return its times; where none is set, Sendmail's own (5 days, no warning)."""
    returned = dict.fromkeys(CLASSES, timedelta(days=5))
    warned = dict.fromkeys(CLASSES, timedelta(0))
    for name, value in configuration.options:
        words = name.lower().split(".")
        if words in (["t"], ["queuetimeout"]):  # of before 8.7: both in one line
            back, _, warning = value.partition("/")
            _set(returned, CLASSES, back, "d")
            _set(warned, CLASSES, warning, "h")
        elif words[:2] in (["timeout", "queuereturn"], ["timeout", "queuewarn"]):
            times, unit = (returned, "d") if words[1] == "queuereturn" else (warned, "h")
            _set(times, words[2:] or CLASSES, value, unit)
    return Timeouts(returned, warned)


def _set(times: dict[str, timedelta], classes: tuple[str, ...] | list[str], value: str, unit: str) -> None:
    seconds = _seconds(value.strip().lower(), unit)
    if seconds is not None:
        times.update({name: timedelta(seconds=seconds) for name in classes if name in times})


def _seconds(value: str, unit: str) -> int | None:
    """Return a time like "1d12h" in seconds, None for what is none; a number alone is of the unit."""
    if value == "now":
        return 0
    parts = _PART.findall(value)
    if not parts or "".join("".join(part) for part in parts) != value:
        return None
    return min(sum(int(number) * _UNITS[letter or unit] for number, letter in parts), 10**9)
