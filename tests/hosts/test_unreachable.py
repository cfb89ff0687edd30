"""A host that cannot be reached any more is tried for its time once, however many looks are made at it at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from migrator import retry
from migrator.errors import HostError
from migrator.hosts.connection import Opener as RealOpener
from migrator.hosts.ssh import SshHost
from migrator.plan import HostPlan

TRYING = 0.3
"""Seconds for which an attempt is made here, in place of two minutes."""


class Opener:
    """Reaches nobody, after a while."""

    def __init__(self) -> None:
        self.tried = 0

    def open(self) -> None:
        self.tried += 1
        time.sleep(TRYING)
        raise HostError("the old host cannot be reached by ssh", host="old")


@pytest.fixture
def host() -> SshHost:
    found = SshHost("old", HostPlan("root@198.51.100.10", ("198.51.100.10",)), "unit")
    found._opener = Opener()  # type: ignore[assignment]
    return found


def tried(host: SshHost) -> int:
    assert isinstance(host._opener, Opener)
    return host._opener.tried


def test_looks_that_are_made_at_once_fail_together(host: SshHost) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(host.read, "mailq") for _ in range(4)]
        for look in looks:
            with pytest.raises(HostError, match="cannot be reached"):
                look.result()
    assert tried(host) == 1
    assert time.monotonic() - began < 3 * TRYING


def test_a_look_that_is_made_later_tries_anew(host: SshHost) -> None:
    for number in (1, 2):
        with pytest.raises(HostError):
            host.read("mailq")
        assert tried(host) == number


def test_what_was_tried_for_all_of_its_time_is_tried_for_a_short_one_when_the_run_ends() -> None:
    waits: list[float] = []
    # Nobody listens there, so each attempt fails at once.
    opener = RealOpener("old", HostPlan("root@127.0.0.1:9", ("127.0.0.1",)), sleep=waits.append)
    opener._patience = retry.RECONNECT
    took = []
    for _ in range(3):
        waits.clear()
        with pytest.raises(HostError, match="cannot be reached"):
            opener.open()
        took.append(sum(waits))
    assert took[0] > 2 * retry.UNREACHED.total
    assert took[1] == took[2] <= retry.UNREACHED.total
