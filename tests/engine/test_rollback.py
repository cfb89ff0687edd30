"""A rollback undoes everything newest first, or refuses before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from migrator.change import Change, Shell, Undo
from migrator.errors import (
    CommandFailed,
    Refused,
)
from migrator.steps.base import Context
from tests.engine.bench import (
    FAILED,
    WHOLE_RUN,
    Bench,
    Probe,
    Survey,
    raising,
    with_step,
)
from tests.fakes import kinds


class TestRollback:
    def test_it_undoes_newest_first_and_says_so(self, bench: Bench) -> None:
        bench.run()
        assert kinds(bench.rollback()) == [
            "rollback_started",
            "change_undone names",
            "change_undone names",
            "step_undone names",
            "change_undone relay",
            "step_undone relay",
            "step_undone survey",
            "rollback_done",
        ]

    def test_a_run_after_it_starts_afresh(self, bench: Bench) -> None:
        bench.run()
        bench.rollback()
        assert kinds(bench.run()) == WHOLE_RUN
        assert bench.state.complete

    def test_it_refuses_before_anything_is_touched_where_there_is_no_way_back(self, bench: Bench) -> None:
        class Open(Survey):
            """Open the port."""

            name = "open"

            def changes(self, context: Context) -> Iterator[Change]:
                yield Change("open port 25 to all", Shell("new", "true"), Undo.IMPOSSIBLE)

        bench = with_step(bench, Open(), at=3)
        bench.run()
        before, performed = bench.world.files(), len(bench.executor.performed)
        with pytest.raises(Refused, match="open port 25 to all"):
            bench.rollback()
        assert (bench.world.files(), len(bench.executor.performed)) == (before, performed)
        assert not bench.state.rolling_back

    def test_a_step_can_refuse_before_anything_is_touched(self, bench: Bench) -> None:
        bench = with_step(bench, Probe(before_rollback=raising(Refused("new mail stands there"))))
        bench.run()
        before = bench.world.files()
        with pytest.raises(Refused, match="new mail"):
            bench.rollback()
        assert bench.world.files() == before
        assert bench.state.complete

    def test_a_failed_undo_is_told_and_tried_again_by_the_next(self, bench: Bench) -> None:
        before = bench.world.files()
        bench.run()
        bench.world.old.on("kill -HUP", FAILED)
        with pytest.raises(CommandFailed) as caught:
            bench.rollback()
        assert "migrate rollback" in (caught.value.advice or "")
        assert bench.state.rolling_back
        bench.world.old.on("kill -HUP", "")
        bench.rollback()
        assert bench.world.files() == before
