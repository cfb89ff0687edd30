"""The way to the hosts breaks."""

from __future__ import annotations

import pytest

from tests.faults.breaking import ahead, broken, ending, finish
from tests.faults.outcome import Outcome
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
RESTART = "pkill -x sshd; while pgrep -x sshd >/dev/null; do sleep 0.1; done; /usr/sbin/sshd"


def restart(lab: Lab) -> None:
    """End every session of both hosts, and what runs in it, as a restart of sshd by a package does."""
    for role in ("old", "new"):
        lab.shell(role, RESTART)


@pytest.mark.fault("sshd restarted, every session with it, while a step changes a host")
@pytest.mark.parametrize("step", ["presync", "relay", "final-copy"])
def test_sshd_is_restarted(lab: Lab, outcome: Outcome, step: str) -> None:
    with scene(lab, rate=RATE, beat=1.0) as stage:
        if step != "presync":
            ahead(lab, stage)
        seen = broken(lab, step, lambda: restart(lab))
        stage.readers.stop()
        outcome.hit(f"{step}: {ending(seen)}, and the next run went on")
        finish(lab)
        outcome.settle(stage)
    expect_moved(lab)
