"""A rollback undoes everything newest first, or refuses before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from migrator.change import Change, Shell, Undo
from migrator.engine.rollback import EDITED_FILES, undoable
from migrator.errors import CommandFailed, NotReady, Refused
from migrator.journal import State
from migrator.steps.base import Context, Phase
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


class Home(Survey):
    """Bring mail home."""

    name = "home"
    phase = Phase.HOME


class TestWayHome:
    def test_it_ends_the_rollback_of_a_cutover(self, bench: Bench) -> None:
        bench.homeward = (Home(),)
        bench.run()
        told = kinds(bench.rollback())
        assert told[-4:-1] == ["step_undone survey", "step_started home", "step_done home"]
        assert told[-1] == "rollback_done"

    def test_without_a_cutover_there_is_none(self, bench: Bench) -> None:
        bench.homeward = (Home(),)
        bench.run(until="survey")
        assert "step_started home" not in kinds(bench.rollback())

    def test_what_waits_is_kept_and_goes_on(self, bench: Bench) -> None:
        bench.run()
        bench.homeward = (Probe(ready=raising(NotReady("the name leads to the new host"))),)
        with pytest.raises(NotReady):
            bench.rollback()
        assert bench.state.rolling_back
        bench.homeward = (Home(),)
        assert kinds(bench.rollback()) == [
            "rollback_started",
            "step_started home",
            "step_done home",
            "rollback_done",
        ]


class TestOrder:
    def test_the_last_step_goes_first_also_where_a_run_started_over(self, bench: Bench) -> None:
        bench.run()
        deeds = [deed.step for deed, _ in undoable(bench.steps, _again(bench.state), bench.context)]
        assert deeds == ["names", "names", "relay", "relay"]

    def test_a_file_that_was_edited_since_is_refused_before_anything_is_touched(self, bench: Bench) -> None:
        bench.run()
        bench.world.old.files["/etc/mail/mailertable"] += b"other.test local:\n"
        before = bench.world.files()
        with pytest.raises(Refused, match="edited since") as refused:
            bench.rollback()
        assert refused.value.lifted_by == EDITED_FILES
        assert refused.value.seen == "/etc/mail/mailertable on the old host"
        assert bench.world.files() == before

    def test_force_puts_it_back_all_the_same(self, bench: Bench) -> None:
        before = bench.world.files()
        bench.run()
        bench.world.old.files["/etc/mail/mailertable"] += b"other.test local:\n"
        bench.force = frozenset([EDITED_FILES])
        bench.rollback()
        assert bench.world.files() == before


def _again(state: State) -> State:
    """Return the state with the change of `relay` once more at its end, as a run that started over leaves it."""
    relay = next(deed for deed in state.deeds if deed.step == "relay")
    state.deeds.append(replace(relay, sequence=state.deeds[-1].sequence + 1))
    return state
