"""A run that is killed or stopped anywhere: the next one goes on from there, and nothing is lost."""

from __future__ import annotations

import signal
import time

import pytest

from tests.lab.conftest import BRIEF
from tests.lab.driver import change_of, killed_at, start_of, succeed
from tests.lab.lab import Lab, accepts
from tests.lab.scene import Scene, scene
from tests.lab.world import expect_moved

pytestmark = pytest.mark.lab

CLOSED_SECONDS = 5.0
"""What `hold` promises is measured apart, in test_hold; here the port must only not stay closed."""
RATE = 8.0
GRACE = 5.0

HOLD = (
    *("backup", "exempt-old", "install-key", "presync", "catch-up", "close-new", "relay", "final-copy"),
    *("open-to-old", "open-new", "move-dns", "smoke", "redirect-webmail", "restore-ttl", "remove-key"),
)
FIREWALL = (
    *("catch-up", "close-new", "close-old", "move-dns", "final-copy", "relay", "settle", "open-new"),
    *("open-old", "smoke", "remove-key"),
)


def kill_in(lab: Lab, stage: Scene, steps: tuple[str, ...]) -> None:
    """Start the run anew for each step, and kill it while it performs that step's first change."""
    for step in steps:
        if step == "catch-up":
            succeed(lab, "run", "--until", "presync")
            stage.readers.stop()
        assert killed_at(lab, change_of(step)) == -signal.SIGKILL


def wait_until_open(address: str, seconds: float) -> None:
    """Wait until a port 25 takes connections from here. Raise AssertionError where it does not in time."""
    deadline = time.monotonic() + seconds
    while not accepts(address, 25):
        assert time.monotonic() < deadline, f"port 25 of {address} is still closed after {seconds:.0f} s"
        time.sleep(0.1)


def test_hold_killed_in_every_step_loses_nothing(lab: Lab) -> None:
    with scene(lab, rate=RATE) as stage:
        kill_in(lab, stage, HOLD)
        succeed(lab, "resume", "--yes", "--wait")
        account = stage.end()
    assert account.clean, stage.told(account)
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()
    expect_moved(lab)


def test_firewall_killed_in_every_step_loses_nothing(firewall_lab: Lab) -> None:
    with scene(firewall_lab, rate=RATE) as stage:
        kill_in(firewall_lab, stage, FIREWALL)
        succeed(firewall_lab, "resume", "--yes", "--wait")
        account = stage.end()
    assert account.clean, stage.told(account)
    expect_moved(firewall_lab)


def test_signals_stop_a_run_where_it_is_safe_and_the_new_port_opens_by_itself(
    brief_lab: Lab,
) -> None:
    lab = brief_lab
    with scene(lab, rate=RATE) as stage:
        assert killed_at(lab, change_of("presync"), sign=signal.SIGINT) == 130
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        assert killed_at(lab, change_of("relay"), sign=signal.SIGTERM) == 130
        assert killed_at(lab, change_of("final-copy"), sign=signal.SIGHUP) == 130
        assert not accepts(lab.place.new, 25)
        assert killed_at(lab, start_of("flush")) == -signal.SIGKILL
        wait_until_open(lab.place.new, BRIEF + GRACE)
        succeed(lab, "resume", "--yes", "--wait")
        account = stage.end()
    assert account.clean, stage.told(account)
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()
    expect_moved(lab)


def test_a_closed_port_opens_by_itself_after_a_kill_and_what_it_takes_is_not_lost(
    brief_firewall_lab: Lab,
) -> None:
    lab = brief_firewall_lab
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        # Before the copy, which then starts over; and after it, where what came in late has to follow.
        for step in ("final-copy", "relay"):
            assert killed_at(lab, change_of(step)) == -signal.SIGKILL
            wait_until_open(lab.place.old, BRIEF + GRACE)
            expect_mail_at_old(lab, stage, since=time.time())
        succeed(lab, "resume", "--yes", "--wait")
        account = stage.end()
    assert account.clean, stage.told(account)
    assert stage.old_port.longest < BRIEF + GRACE, stage.ports()
    expect_moved(lab)


def expect_mail_at_old(lab: Lab, stage: Scene, since: float, seconds: float = 10.0) -> None:
    """Wait until the old host has taken a message after that time. Raise AssertionError where it does not."""
    deadline = time.monotonic() + seconds
    while not any(
        message.accepted_by == lab.place.old and (message.accepted_at or 0.0) > since
        for message in stage.traffic.accepted
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
