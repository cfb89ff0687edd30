"""Retry policies and polling, on a clock that only `sleep` moves."""

import pytest

from migrator.retry import CONNECT, DNS_QUERY, Policy, poll


class FakeTime:
    """A clock that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Failing:
    """Fails a number of times, then succeeds; each call lasts some seconds."""

    def __init__(self, failures: int, time: FakeTime, lasts: float = 0) -> None:
        self.left = failures
        self.calls = 0
        self.time = time
        self.lasts = lasts

    def __call__(self) -> str:
        self.calls += 1
        self.time.now += self.lasts
        if self.left:
            self.left -= 1
            raise ConnectionRefusedError(f"call {self.calls}")
        return "connected"


def test_connect_waits_twice_as_long_each_time() -> None:
    time = FakeTime()
    operation = Failing(4, time)
    result = CONNECT.retrying(OSError, sleep=time.sleep, clock=time.clock)(operation)
    assert result == "connected"
    assert time.waits == [0.5, 1, 2, 4]


def test_the_last_failure_is_raised_as_it_was() -> None:
    time = FakeTime()
    operation = Failing(99, time)
    with pytest.raises(ConnectionRefusedError, match="call 5"):
        CONNECT.retrying(OSError, sleep=time.sleep, clock=time.clock)(operation)
    assert operation.calls == CONNECT.attempts


def test_no_attempt_starts_after_the_total_time() -> None:
    time = FakeTime()
    operation = Failing(99, time, lasts=25)
    with pytest.raises(ConnectionRefusedError):
        CONNECT.retrying(OSError, sleep=time.sleep, clock=time.clock)(operation)
    assert operation.calls == 3
    assert time.now - 1000 < CONNECT.total + 25


def test_other_failures_are_not_tried_again() -> None:
    time = FakeTime()
    operation = Failing(99, time)
    with pytest.raises(ConnectionRefusedError):
        DNS_QUERY.retrying(ValueError, sleep=time.sleep, clock=time.clock)(operation)
    assert operation.calls == 1


def test_waits_never_exceed_the_longest() -> None:
    time = FakeTime()
    policy = Policy(attempts=8, total=1000, first_wait=1, longest_wait=3)
    policy.retrying(OSError, sleep=time.sleep, clock=time.clock)(Failing(6, time))
    assert time.waits == [1, 2, 3, 3, 3, 3]


def test_poll_returns_the_first_true_result() -> None:
    time = FakeTime()
    results = iter([None, "", "arrived", "later"])
    assert (
        poll(lambda: next(results), timeout=10, interval=2, sleep=time.sleep, clock=time.clock) == "arrived"
    )
    assert time.waits == [2, 2]


def test_poll_looks_once_more_at_the_deadline_and_returns_the_false_result() -> None:
    time = FakeTime()
    looked: list[float] = []

    def probe() -> bool:
        looked.append(time.now - 1000)
        return False

    assert poll(probe, timeout=5, interval=2, sleep=time.sleep, clock=time.clock) is False
    assert looked == [0, 2, 4, 5]


def test_poll_with_no_time_looks_once() -> None:
    time = FakeTime()
    assert poll(lambda: 0, timeout=0, interval=1, sleep=time.sleep, clock=time.clock) == 0
    assert time.waits == []


def test_poll_lets_failures_through() -> None:
    time = FakeTime()
    with pytest.raises(ConnectionRefusedError):
        poll(Failing(1, time), timeout=5, interval=1, sleep=time.sleep, clock=time.clock)
