"""A queue that has grown for years."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
COUNT = 100_000
DEAD = "203.0.113.9"
FILL = Path(__file__).with_name("inside") / "fill_queue.py"
OURS = ("user01@example.test", "user12@example.test", "user04@example2.test", "team@example.test")
DEAD_FILES = "find /var/spool/mqueue -name '[qd]f6AND*'"


@pytest.mark.fault("100,000 messages in the old host's queue, all but a few for destinations that are dead")
def test_a_large_queue(lab: Lab, outcome: Outcome) -> None:
    lab.python("old", FILL, str(COUNT), DEAD)
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for number, recipient in enumerate(OURS):
            stage.queue_on_old(number, recipient)
        began = time.monotonic()
        succeed(lab, "run", "--yes", "--wait")
        seconds = time.monotonic() - began
        left = lab.shell("old", f"{DEAD_FILES} | wc -l")
        assert int(left) == 2 * COUNT, "mail for others is the old host's"
        # Nothing of it will ever leave, and the account waits for queues to run dry.
        lab.shell("old", f"{DEAD_FILES} -delete")
        outcome.hit(f"the cutover took {seconds:.0f} s; what was queued for the domains was delivered")
        outcome.settle(stage)
    expect_moved(lab)
