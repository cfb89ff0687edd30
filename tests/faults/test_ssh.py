"""The way to the hosts breaks."""

from __future__ import annotations

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import change_of, running, succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
RESTART = "pkill -x sshd; while pgrep -x sshd >/dev/null; do sleep 0.1; done; /usr/sbin/sshd"


@pytest.mark.fault("sshd restarted, every session with it, while a step changes a host")
@pytest.mark.parametrize("step", ["presync", "relay", "final-copy"])
def test_sshd_is_restarted(lab: Lab, outcome: Outcome, step: str) -> None:
    with scene(lab, rate=RATE) as stage:
        if step != "presync":
            succeed(lab, "run", "--until", "presync")
            stage.readers.stop()
        with running(lab) as run:
            run.wait_for(change_of(step))
            for role in ("old", "new"):
                lab.shell(role, RESTART)
            code = run.end()
        stage.readers.stop()
        assert code in (0, 1)
        outcome.hit(f"{step}: exit {code}, and the next run went on")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)
