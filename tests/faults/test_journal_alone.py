"""A rollback goes by the journal alone: whatever the plan's file says since, whatever this version calls a step."""

from __future__ import annotations

import pytest

from migrator.journal import read_state
from migrator.steps import ordered
from tests.faults.outcome import Outcome
from tests.faults.test_plan import edit
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene, scene
from tests.lab.test_rollback import changed, configuration, edit_the_plan
from tests.lab.world import expect_moved_back

RATE = 6.0
LAST = "smoke"
"""The new host has taken mail, and the TTL is still short: all of both hosts' files is put back at once."""


def moved(lab: Lab, stage: Scene) -> None:
    """Migrate until the new host takes mail."""
    stage.readers.stop()
    succeed(lab, "run", "--until", LAST, "--yes", "--wait")


def expect_home(lab: Lab, outcome: Outcome, stage: Scene, before: dict[str, dict[str, str]]) -> None:
    """Raise AssertionError where the old host does not serve as before, with every message of meanwhile."""
    assert "mailer local" in lab.shell("old", "sendmail -bv user01@example.test")
    assert changed(before, configuration(lab)) == []
    outcome.settle(stage, home="old")
    expect_moved_back(lab)


def after_an_edit(lab: Lab, outcome: Outcome) -> None:
    """Migrate, take a tree out of the plan and give it the other strategy, and go back."""
    before = configuration(lab)
    with scene(lab, rate=RATE) as stage:
        moved(lab, stage)
        edit_the_plan(lab)
        told = succeed(lab, "rollback", "--yes")
        assert "the plan was edited since it was run" in told
        assert "cutover.strategy" in told
        outcome.hit("the edits are told; mail of the tree came home, and both hosts are as before")
        expect_home(lab, outcome, stage, before)


@pytest.mark.fault("a plan edited before a rollback: a tree taken out, the other strategy")
def test_hold_goes_back_by_its_own_plan(lab: Lab, outcome: Outcome) -> None:
    after_an_edit(lab, outcome)


@pytest.mark.fault("a plan edited before a rollback: a tree taken out, the other strategy")
def test_firewall_goes_back_by_its_own_plan(firewall_lab: Lab, outcome: Outcome) -> None:
    after_an_edit(firewall_lab, outcome)


@pytest.mark.fault("a plan that cannot be read any more before a rollback")
def test_a_plan_with_faults_is_not_needed(lab: Lab, outcome: Outcome) -> None:
    before = configuration(lab)
    with scene(lab, rate=RATE) as stage:
        moved(lab, stage)
        edit(lab, 'strategy = "hold"', 'strategy = "held"')
        assert "cannot be used now" in succeed(lab, "rollback", "--yes")
        outcome.hit("the fault is told, and the journal's own plan counts")
        expect_home(lab, outcome, stage, before)


def rename_steps(lab: Lab) -> list[str]:
    """Let the journal know the steps by other names, as one of another version would; return their names of now."""
    path = lab.state_path / "journal.jsonl"
    # What a pass is remembered as may be its step's name, and does not change with it.
    names = [step.name for step in ordered("hold") if step.name not in read_state(lab.state_path).memory]
    text = path.read_text()
    for name in names:
        text = text.replace(f'"{name}"', f'"former-{name}"')
    path.write_text(text)
    return names


@pytest.mark.fault("a journal of a step that this version calls otherwise")
def test_steps_of_other_names_are_undone(lab: Lab, outcome: Outcome) -> None:
    before = configuration(lab)
    with scene(lab, rate=RATE) as stage:
        moved(lab, stage)
        assert {"close-new", "relay", "open-to-old", "open-new", "move-dns"} <= set(rename_steps(lab))
        assert "former-relay" in read_state(lab.state_path).steps
        succeed(lab, "rollback", "--yes")
        outcome.hit("all steps were undone under their former names, and mail came home")
        expect_home(lab, outcome, stage, before)
