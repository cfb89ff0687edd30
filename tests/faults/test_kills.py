"""SIGKILL after every line of the journal, and in the middle of commands."""

from __future__ import annotations

import pytest

from tests.faults.kills import kill_after_every_line, kill_in_every_command
from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved, expect_moved_back

RATE = 3.0
"""Lower than elsewhere: these migrations take minutes, and every kind of moment is met often enough."""
SEED = 20261123
BIG = "/var/www/web1/user/user01/archive.bin"
"""A file that takes long enough for a kill while its bytes move."""

LINES = "each run went on from there, and the last one ended with 0"


@pytest.mark.fault("killed after every line that a run under `hold` writes into its journal")
def test_a_run_under_hold_is_killed_after_every_line(lab: Lab, outcome: Outcome) -> None:
    migrate_with_kills(lab, outcome)


@pytest.mark.fault("killed after every line that a run under `firewall` writes into its journal")
def test_a_run_under_firewall_is_killed_after_every_line(firewall_lab: Lab, outcome: Outcome) -> None:
    migrate_with_kills(firewall_lab, outcome)


def migrate_with_kills(lab: Lab, outcome: Outcome) -> None:
    """Migrate under traffic, killed after every line; raise AssertionError where that costs anything."""
    with scene(lab, rate=RATE) as stage:
        kill_after_every_line(lab, outcome, "run", "--until", "presync")
        stage.readers.stop()
        kill_after_every_line(lab, outcome, "run", "--yes", "--wait")
        outcome.hit(LINES, times=0)
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("killed at random moments inside every kind of command")
@pytest.mark.parametrize("seed", [SEED])
def test_a_run_is_killed_in_the_middle_of_its_commands(lab: Lab, outcome: Outcome, seed: int) -> None:
    lab.shell("old", f"head -c 60M /dev/urandom >{BIG}; chown user01: {BIG}")
    with scene(lab, rate=RATE) as stage:
        cut = kill_in_every_command(lab, outcome, seed, "run", "--until", "presync")
        stage.readers.stop()
        cut += kill_in_every_command(lab, outcome, seed + 1, "run", "--yes", "--wait")
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(cut.items()))
        outcome.hit(f"cut off: {told}; {LINES}", times=0)
        outcome.settle(stage)
    assert all(cut[kind] >= 2 for kind in ("shell", "upload", "rsync", "dns", "probe")), f"{seed}: {cut}"
    expect_moved(lab)


@pytest.mark.fault("killed after every line that a rollback writes into its journal")
@pytest.mark.parametrize("last", ["presync", "relay", "final-copy"])
def test_a_rollback_is_killed_after_every_line(lab: Lab, outcome: Outcome, last: str) -> None:
    with scene(lab, rate=RATE) as stage:
        if last != "presync":
            succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--until", last, "--yes", "--wait")
        kill_after_every_line(lab, outcome, "rollback", "--yes")
        outcome.hit("each rollback went on from there, and the last one ended with 0", times=0)
        outcome.settle(stage, home="old")
    expect_moved_back(lab)
