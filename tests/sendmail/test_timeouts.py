"""How long mail waits before it is returned, by what sendmail.cf says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from migrator.sendmail.cf import parse
from migrator.sendmail.timeouts import Timeouts, timeouts

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def of(*lines: str) -> Timeouts:
    return timeouts(parse("".join(f"{line}\n" for line in lines)))


def test_where_nothing_is_said_it_is_five_days_and_no_warning() -> None:
    assert (of().shortest, of().first_warning) == (5 * DAY, None)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("O Timeout.queuereturn=5d", 5 * DAY),
        ("O Timeout.queuereturn=3", 3 * DAY),
        ("O Timeout.QueueReturn=1d12h", 36 * HOUR),
        ("O timeout.queuereturn=90m", 1.5 * HOUR),
        ("O Timeout.queuereturn=now", 0 * DAY),
        ("O Timeout.queuereturn.normal=4h", 4 * HOUR),
        ("O Timeout.queuereturn.dsn=30", 5 * DAY),
        ("O Timeout.queuereturn=what", 5 * DAY),
        ("O Timeout.queuewarn=1h", 5 * DAY),
        ("OT2d/4h", 2 * DAY),
        ("O QueueTimeout=2d", 2 * DAY),
    ],
)
def test_the_shortest_time_of_all(line: str, wanted: timedelta) -> None:
    assert of(line).shortest == wanted


def test_a_class_is_set_after_all_and_by_the_last_line() -> None:
    found = of("O Timeout.queuereturn=5d", "O Timeout.queuereturn.urgent=2d", "O Timeout.queuereturn.dsn=6h")
    assert found.of_sender("a@example.test") == 2 * DAY
    assert found.of_sender("") == 6 * HOUR
    assert of("O Timeout.queuereturn.dsn=6h", "O Timeout.queuereturn=5d").of_sender("") == 5 * DAY


def test_a_warning_is_in_hours_and_0_is_none() -> None:
    assert of("O Timeout.queuewarn=4").first_warning == 4 * HOUR
    assert of("O Timeout.queuewarn=0", "O Timeout.queuewarn.urgent=1h").first_warning == HOUR
    assert of("OT5d/2h").first_warning == 2 * HOUR
