"""Before mail moves it is told how long it would wait, from what the passes have shown on these hosts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.errors import Refused, StartOver
from migrator.plan import SyncTree
from migrator.steps import ordered
from migrator.steps.close_new import CloseNew
from migrator.steps.common import forecasting
from migrator.steps.common.draining import PATIENCE
from tests.steps.stage import LISTENER, Stage, processes

NOTES = "/var/lib/migrate/example-mail/passes"
TREE = SyncTree("/var/spool/mail/", "/var/spool/mail/")


def line(begun: float, *, kind: str = "changed", transfer: float = 0.4, tree: int = 0) -> str:
    return (
        f"tree={tree}\tkind={kind}\tdelete=0\tbegun={begun:.3f}\tlook=0.500\tcompare=0.100\ttransfer={transfer:.3f}"
        "\tentries=20000\tfetched=90\textra=10\tbytes=5000000\n"
    )


@pytest.fixture
def stage() -> Stage:
    stage = Stage(CloseNew())
    stage.plan(sync=(TREE,))
    stage.new.files[NOTES] = (line(0, kind="whole", transfer=9.0) + line(60)).encode()
    stage.memory["catch-up"] = stage.world.clock.now().isoformat()
    return stage


def budget(stage: Stage, seconds: int) -> None:
    stage.plan(cutover=replace(stage.world.plan.cutover, budget=timedelta(seconds=seconds)))


def test_it_rests_on_the_passes_that_were_noted(stage: Stage) -> None:
    found = forecasting.forecast(stage.context())
    assert found is not None
    assert found.entries == 20_000
    assert 1.0 < found.copy < 2.0
    assert found.mail < found.mailboxes


def test_without_passes_nothing_is_told_and_nothing_refused(stage: Stage) -> None:
    del stage.new.files[NOTES]
    assert forecasting.forecast(stage.context()) is None
    assert forecasting.expect_within_budget(stage.context()) is None
    assert stage.step.question(stage.context()).text == ""
    assert forecasting.converged(stage.context())


def test_sessions_are_expected_to_end_after_as_long_as_they_have_been_there(stage: Stage) -> None:
    busy = (79, 77, 99_000, "sendmail: 4ATxyz mx.example.net [192.0.2.1]: DATA")
    processes(stage.old, LISTENER, busy)
    found = forecasting.forecast(stage.context())
    assert found is not None
    assert found.sessions == pytest.approx(10.0)


def test_idle_sessions_are_not_waited_for_that_long(stage: Stage) -> None:
    idle = (79, 77, 1_000, "sendmail: server mx.example.net [192.0.2.1] cmd read")
    processes(stage.old, LISTENER, idle)
    found = forecasting.forecast(stage.context())
    assert found is not None
    assert found.sessions == PATIENCE


def test_passes_go_on_until_the_cutover_fits_or_nothing_more_is_gained(stage: Stage) -> None:
    assert forecasting.converged(stage.context())
    budget(stage, 2)
    assert not forecasting.converged(stage.context())
    stage.new.files[NOTES] += line(120).encode()
    assert forecasting.converged(stage.context())


def test_the_question_tells_the_prediction_and_what_is_remembered_of_it(stage: Stage) -> None:
    asked = stage.step.question(stage.context())
    assert asked.text.startswith("if you cut over now, mail waits ")
    assert asked.text.endswith("(budget 60 s)")
    assert "20,000 entries" in asked.basis
    assert float(asked.remember["cutover.predicted.mail"]) < float(
        asked.remember["cutover.predicted.mailboxes"]
    )


def test_beyond_the_budget_it_is_refused_unless_forced(stage: Stage) -> None:
    budget(stage, 2)
    with pytest.raises(Refused, match=r"longer than the plan allows.*budget 2 s") as refused:
        stage.step.question(stage.context())
    assert refused.value.lifted_by == "over-budget"
    assert refused.value.exit_code == 3
    assert stage.step.question(stage.context(force=frozenset({"over-budget"}))).text


def test_what_changed_since_a_pass_that_is_long_over_is_copied_first(stage: Stage) -> None:
    stage.world.clock.sleep(forecasting.FRESH + 1)
    with pytest.raises(StartOver, match="last pass ended") as again:
        stage.step.question(stage.context())
    assert again.value.step == "catch-up"


@pytest.mark.parametrize("strategy", ["hold", "firewall"])
def test_every_step_that_is_counted_on_belongs_to_the_cutover(strategy: str) -> None:
    counted = forecasting.ORCHESTRATION["hold" if strategy == "hold" else "firewall"]
    names = [step.name for step in ordered(strategy)]
    expected = [name for name in names if name in (*counted.waiting, *counted.opening)]
    assert list(dict.fromkeys([*counted.waiting, *counted.opening])) == expected
    suspended = next(step.name for step in ordered(strategy) if step.suspends)
    assert expected[0] == suspended
