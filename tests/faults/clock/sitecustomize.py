"""Python reads this when it starts: a clock that is off by the seconds in the file that LAB_CLOCK names, also while
a program runs."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

_real = time.time


def shifted() -> float:
    """Return the seconds since 1970 by the clock that is off."""
    try:
        return _real() + float(Path(os.environ["LAB_CLOCK"]).read_text())
    except (FileNotFoundError, ValueError):
        return _real()


class Shifted(datetime.datetime):
    """A datetime whose `now` tells the time by that clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Shifted:
        return cls.fromtimestamp(shifted(), tz)


if "LAB_CLOCK" in os.environ:
    time.time = shifted
    datetime.datetime = Shifted  # type: ignore[misc]
