"""One short pass before anything is closed makes the final one short."""

from __future__ import annotations

from migrator.steps.catch_up import CatchUp
from tests.steps.stage import Stage


def test_every_tree_is_copied_once_and_nothing_is_deleted() -> None:
    stage = Stage(CatchUp())
    stage.perform()
    assert stage.passes == [(0, False, "changed"), (1, False, "changed")]
    assert stage.look() == []


def test_differences_that_are_left_are_the_final_copys_to_find() -> None:
    stage = Stage(CatchUp())
    stage.world.copies.lines[0] = (">f.st...... user01",)
    stage.verify()
