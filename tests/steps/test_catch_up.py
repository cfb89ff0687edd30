"""One short pass before anything is closed makes the final one short."""

from __future__ import annotations

import pytest

from migrator.errors import Refused
from migrator.steps.catch_up import CatchUp
from tests.steps.stage import Stage, queue, queued


def test_every_tree_is_copied_once_and_nothing_is_deleted() -> None:
    stage = Stage(CatchUp())
    stage.perform()
    assert stage.passes == [(0, False, "changed"), (1, False, "changed")]
    assert stage.look() == []


def test_differences_that_are_left_are_the_final_copys_to_find() -> None:
    stage = Stage(CatchUp())
    stage.world.copies.lines[0] = (">f.st...... user01",)
    stage.verify()


def test_what_only_a_person_can_release_is_told_before_mail_waits() -> None:
    stage = Stage(CatchUp())
    queue(stage.old, queued("hf4AT1", "\\user01"))
    with pytest.raises(Refused, match="quarantined or lost"):
        stage.verify()
    stage.verify(force=frozenset({"held-mail"}))
