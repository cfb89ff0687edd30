"""A wait says what it is for."""

from __future__ import annotations

import time

from migrator.executor.heartbeat import beating


def test_what_takes_long_is_told_until_it_ends() -> None:
    told: list[str] = []
    with beating("service sendmail start", told.append, first=0.05, every=0.05):
        time.sleep(0.5)
    assert told[0].startswith("waiting for: service sendmail start (0 s by now)")
    assert len(told) >= 2
    count = len(told)
    time.sleep(0.2)
    assert len(told) == count


def test_what_is_quick_says_nothing() -> None:
    told: list[str] = []
    with beating("a line", told.append):
        pass
    assert told == []
