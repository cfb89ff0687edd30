"""How often and how long things are tried again, all in one place.

`sleep` and `clock` are handed in, so that a test of a long wait is short.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, wait_exponential

Sleep = Callable[[float], None]
Clock = Callable[[], float]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Policy:
    """How one kind of operation is tried again; all times in seconds.

    The wait doubles from `first_wait` up to `longest_wait`. No attempt starts once `attempts` were made, or
    when it would start more than `total` seconds after the first.
    """

    attempts: int
    total: float
    first_wait: float
    longest_wait: float

    def retrying(
        self, *failures: type[Exception], sleep: Sleep = time.sleep, clock: Clock = time.monotonic
    ) -> Retrying:
        """Given the exceptions worth another attempt, return a `Retrying` for one use.

        Its call returns what the callee returns, and raises the callee's last exception as it is.
        """
        deadline = clock() + self.total

        def exhausted(state: RetryCallState) -> bool:
            return state.attempt_number >= self.attempts or clock() + state.upcoming_sleep > deadline

        return Retrying(
            sleep=sleep,
            stop=exhausted,
            wait=wait_exponential(multiplier=self.first_wait, max=self.longest_wait),
            retry=retry_if_exception_type(failures),
            reraise=True,
        )


CONNECT = Policy(attempts=5, total=60, first_wait=0.5, longest_wait=8)
"""Opening an ssh connection: a host that restarts its sshd or drops a packet is back within a minute."""

RECONNECT = Policy(attempts=60, total=120, first_wait=0.5, longest_wait=4)
"""Opening it again to a host that answered before: a line that is cut for half a minute, or a host that reboots."""

UNREACHED = Policy(attempts=7, total=20, first_wait=0.5, longest_wait=4)
"""Opening it to a host that was tried for all of its time before: what a run still has to do there when it ends."""

COPY = Policy(attempts=3, total=7 * 86400, first_wait=5, longest_wait=20)
"""A pass of rsync whose connection broke: it goes on where it was, however many hours it took until then."""

DNS_QUERY = Policy(attempts=3, total=10, first_wait=0.2, longest_wait=1)
"""One DNS question over UDP, where a lost packet is normal and the asker sends again (RFC 1035, 4.2.1)."""

SMTP_POLL = Policy(attempts=240, total=120, first_wait=0.5, longest_wait=0.5)
"""Waiting for a message to arrive or a port to open; `poll` takes its `total` and `first_wait`."""


def poll(
    probe: Callable[[], Result],
    *,
    timeout: float = SMTP_POLL.total,
    interval: float = SMTP_POLL.first_wait,
    sleep: Sleep = time.sleep,
    clock: Clock = time.monotonic,
) -> Result:
    """Call `probe` every `interval` seconds until what it returns is true, and return that.

    When `timeout` seconds have passed, return the probe's last result, which is false. The last look is
    taken at the deadline, not an interval before it. What the probe raises goes through.
    """
    deadline = clock() + timeout

    def until_deadline(_state: RetryCallState) -> float:
        return min(interval, max(0.0, deadline - clock()))

    retrying = Retrying(
        sleep=sleep,
        stop=lambda _state: clock() >= deadline,
        wait=until_deadline,
        retry=retry_if_result(lambda result: not result),
        retry_error_callback=_last_result,
    )
    return retrying(probe)


def _last_result(state: RetryCallState) -> object:
    assert state.outcome is not None  # noqa: S101 - tenacity calls back only after an attempt
    return state.outcome.result()
