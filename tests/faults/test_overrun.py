"""A cutover that takes longer than it may goes back by itself, and nothing is lost by that."""

from __future__ import annotations

import pytest

from tests.faults.breaking import ANSWERING, COPYING, HANGING
from tests.faults.outcome import Outcome
from tests.lab.driver import Running, running, succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
LONGEST = 15
"""Seconds for which mail may wait for the copy."""


def shorten(lab: Lab) -> None:
    """Let the cutover have no more than LONGEST seconds."""
    text = lab.plan_path.read_text()
    lab.plan_path.write_text(text.replace("max_closed", f'budget = "{LONGEST}s"\noverrun = 1\nmax_closed'))


def ended(run: Running) -> dict[str, object]:
    """Return how a run ended. Raise AssertionError where it did not end with 1."""
    assert run.end() == 1, run.seen[-1]
    return run.seen[-1]


@pytest.mark.fault("the old host's disk hangs in the final pass for longer than the cutover may take")
@pytest.mark.parametrize("strategy", ["hold", "firewall"])
def test_a_copy_that_hangs(strategy: str, request: pytest.FixtureRequest, outcome: Outcome) -> None:
    lab: Lab = request.getfixturevalue("lab" if strategy == "hold" else "firewall_lab")
    shorten(lab)
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(
            lab,
            "run",
            "--yes",
            "--wait",
            "--force",
            "over-budget",
            "--until",
            COPYING[strategy, "final-copy"],
        )
        lab.shell("old", HANGING)
        with running(lab) as run:
            told = ended(run)
        assert (told["error"], told["step"]) == ("GoBack", "final-copy")
        kinds = [event["kind"] for event in run.seen]
        undone = [event["step"] for event in run.seen if event["kind"] == "step_undone"]
        assert undone[-1] == "close-new"
        assert kinds.index("going_back") < kinds.index("went_back")
        lab.shell("old", ANSWERING)
        outcome.hit(
            f"{strategy}: exit 1 after the time that it has, all undone by itself; the next run moves the mail"
        )
        succeed(lab, "run", "--yes", "--wait", "--force", "over-budget")
        outcome.settle(stage)
    expect_moved(lab)
