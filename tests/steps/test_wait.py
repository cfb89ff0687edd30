"""The cutover begins when the old TTL has run out and the window is open, and says when that is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from migrator.errors import NotReady
from migrator.plan.shapes import Window
from migrator.steps.wait import EARLY, Wait, dry_at
from tests.fakes import NOON
from tests.steps.stage import Stage

HOUR = timedelta(hours=1)


@pytest.fixture
def stage() -> Stage:
    stage = Stage(Wait())
    stage.plan_dns(lead=48 * HOUR)
    stage.memory.update({"ttl.low_since": NOON.isoformat(), "ttl.highest": "3600"})
    return stage


def window(stage: Stage, start: datetime) -> None:
    stage.plan(cutover=replace(stage.world.plan.cutover, window=Window(start, 4 * HOUR)))


def until(stage: Stage, **context: object) -> datetime | None:
    with pytest.raises(NotReady) as waiting:
        stage.ready(**context)
    return waiting.value.until


@pytest.mark.parametrize(
    ("lead", "highest", "wait"),
    [(48 * HOUR, 3600, 48 * HOUR), (HOUR, 86_400, 24 * HOUR), (timedelta(0), 900, HOUR / 4)],
)
def test_both_the_lead_and_the_highest_ttl_have_to_pass(
    stage: Stage, lead: timedelta, highest: int, wait: timedelta
) -> None:
    stage.plan_dns(lead=lead)
    stage.memory["ttl.highest"] = str(highest)
    assert until(stage) == NOON + wait
    stage.world.clock.time = NOON + wait - timedelta(seconds=1)
    assert until(stage) == NOON + wait
    stage.world.clock.time = NOON + wait
    stage.ready()


@pytest.mark.parametrize("wrong", ["operator", "old", "new"])
@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_of_three_clocks_one_may_be_an_hour_off(stage: Stage, wrong: str, jump: timedelta) -> None:
    real = NOON + 48 * HOUR
    for seconds, over in ((-60, False), (60, True)):
        now = real + timedelta(seconds=seconds)
        times = {name: now + (jump if name == wrong else timedelta()) for name in ("operator", "old", "new")}
        stage.world.clock.time = times["operator"]
        for host in (stage.old, stage.new):
            host.on(r"^date \+%s$", f"{times[host.name].timestamp():.0f}\n")
        if over:
            stage.ready()
        else:
            assert until(stage) == times["operator"] + timedelta(seconds=60), "by the clock of who waits"


def test_a_ttl_that_was_never_seen_low_has_no_end(stage: Stage) -> None:
    del stage.memory["ttl.low_since"]
    assert dry_at(stage.context()) is None
    assert until(stage) is None


def test_who_waits_is_told_until_when_and_how_not_to(stage: Stage) -> None:
    with pytest.raises(NotReady, match=r"until 2026-12-01T12:00:00\+00:00$") as waiting:
        stage.ready()
    assert waiting.value.advice == "run again then (or with --wait); --force early does not wait"


def test_force_begins_early(stage: Stage) -> None:
    stage.ready(force=frozenset({EARLY}))
    stage.memory.clear()
    stage.ready(force=frozenset({EARLY}))


class TestWindow:
    @pytest.fixture(autouse=True)
    def dry(self, stage: Stage) -> None:
        stage.world.clock.time = NOON + 48 * HOUR

    def test_before_it_the_run_waits_for_its_start(self, stage: Stage) -> None:
        start = NOON + 49 * HOUR
        window(stage, start)
        assert until(stage) == start
        assert until(stage, force=frozenset({EARLY})) == start

    @pytest.mark.parametrize("passed", [timedelta(0), 4 * HOUR - timedelta(seconds=1)])
    def test_from_its_start_to_its_end_the_run_goes_on(self, stage: Stage, passed: timedelta) -> None:
        window(stage, NOON + 48 * HOUR - passed)
        stage.ready()

    def test_at_its_end_there_is_no_time_to_wait_for(self, stage: Stage) -> None:
        window(stage, NOON + 44 * HOUR)
        with pytest.raises(NotReady, match="has closed") as waiting:
            stage.ready()
        assert waiting.value.until is None
        assert "--accept-plan-change" in str(waiting.value.advice)

    def test_caches_come_first(self, stage: Stage) -> None:
        stage.world.clock.time = NOON
        window(stage, NOON)
        assert until(stage) == NOON + 48 * HOUR


def test_nothing_is_changed(stage: Stage) -> None:
    assert stage.look() == []
    stage.verify()
