"""A plan that was edited between two runs is told key by key, and accepted where no finished step is concerned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from migrator.engine.plan_change import FIRST_STEP, check
from migrator.errors import (
    UsageError,
)
from migrator.journal.state import State, StepRecord
from migrator.plan import CopyPlan, CutoverPlan, DnsPlan, SmokePlan, WebmailPlan
from migrator.steps import ordered
from migrator.steps.base import Phase
from tests.engine.bench import (
    Bench,
)
from tests.fakes import kinds, make_plan


class TestPlanChange:
    def changed(self, bench: Bench, **changes: Any) -> Bench:
        world = replace(bench.world, plan=make_plan(**changes))
        changed = replace(bench, world=world)
        world.old.files = dict(bench.world.old.files)
        return changed

    def test_it_is_refused_with_what_changed(self, bench: Bench) -> None:
        bench.run(until="survey")
        changed = self.changed(bench, dns=DnsPlan(ttl=timedelta(minutes=5)))
        with pytest.raises(UsageError, match=r"dns\.ttl: 15m → 5m") as caught:
            changed.run()
        assert "--accept-plan-change" in (caught.value.advice or "")

    def test_accepted_it_goes_on_and_is_written_down(self, bench: Bench) -> None:
        bench.run(until="survey")
        changed = self.changed(bench, dns=DnsPlan(ttl=timedelta(minutes=5)))
        assert kinds(changed.run(accept=True))[:2] == ["run_started", "plan_accepted"]
        changed.run()

    def test_it_is_refused_where_a_finished_step_is_concerned(self, bench: Bench) -> None:
        bench.run(until="survey")
        changed = self.changed(bench, old=replace(make_plan().old, mail_spool="/var/mail"))
        with pytest.raises(UsageError) as caught:
            changed.run(accept=True)
        assert "old.mail_spool concerns survey, which is finished" in (caught.value.advice or "")

    def test_the_domains_never_change(self, bench: Bench) -> None:
        bench.run(until="survey")
        with pytest.raises(UsageError) as caught:
            self.changed(bench, domains=("example.org",)).run(accept=True)
        assert "concerns the whole migration" in (caught.value.advice or "")

    def test_a_table_whose_step_is_still_to_come_may_change(self, bench: Bench) -> None:
        bench.run(until="relay")
        self.changed(bench, smoke=SmokePlan(recipient="user01@example.test")).run(accept=True)
        assert bench.state.complete

    def test_another_host_is_refused_where_something_is_still_to_be_undone_on_the_first(
        self, bench: Bench
    ) -> None:
        bench.run(until="relay")
        state = bench.state
        state.steps["survey"].state = "failed"
        elsewhere = make_plan(old=replace(make_plan().old, ssh="root@198.51.100.77")).flatten()
        with pytest.raises(UsageError) as caught:
            check(state, elsewhere, bench.steps, accept=True)
        assert "old.ssh concerns what was done there" in (caught.value.advice or "")

    def test_a_run_that_is_going_back_finishes_that_by_its_own_plan(self, bench: Bench) -> None:
        bench.run(until="relay")
        state = bench.state
        state.going_back = {"text": "it takes too long", "to": "wait"}
        changed = make_plan(smoke=SmokePlan(recipient="user01@example.test")).flatten()
        with pytest.raises(UsageError) as caught:
            check(state, changed, bench.steps, accept=True)
        assert "put the old values back" in (caught.value.advice or "")


@pytest.mark.parametrize(
    ("finished", "changes", "concerned"),
    [
        ("catch-up", {"copying": CopyPlan(bwlimit=1_048_576, max_delete=0.9)}, None),
        ("final-copy", {"copying": CopyPlan(max_delete=0.9)}, "sync.max_delete concerns final-copy"),
        ("install-key", {"copying": CopyPlan(passes=3, streams=2)}, None),
        ("presync", {"copying": CopyPlan(passes=3)}, "sync.passes concerns presync"),
        ("install-key", {"copying": CopyPlan(via="push")}, "sync.via concerns install-key"),
        ("presync", {"cutover": CutoverPlan(budget=timedelta(minutes=5), overrun=2)}, None),
        ("relay", {"cutover": CutoverPlan(budget=timedelta(minutes=5))}, "cutover.budget concerns"),
    ],
)
def test_each_setting_may_change_until_the_steps_it_concerns_are_done(
    finished: str, changes: dict[str, Any], concerned: str | None
) -> None:
    steps = ordered("hold")
    names = [step.name for step in steps]
    done = names[: names.index(finished) + 1]
    records = {name: StepRecord(name, "done") for name in done}
    state = State(plan=make_plan().flatten(), steps=records)
    changed = make_plan(**changes).flatten()
    if concerned is None:
        check(state, changed, steps, accept=True)
        return
    with pytest.raises(UsageError) as caught:
        check(state, changed, steps, accept=True)
    assert concerned in (caught.value.advice or "")


@pytest.mark.parametrize("strategy", ["hold", "firewall"])
def test_every_table_of_a_plan_concerns_a_step_that_exists(strategy: str) -> None:
    known = {step.name for step in ordered(strategy)} | set(Phase)
    assert known.issuperset(FIRST_STEP.values())
    webmail = WebmailPlan("http://webmail.example.test/", "https://webmail2.example.test/")
    keys = set(make_plan(webmail=webmail).flatten())
    tables = {key.partition(".")[0].partition("[")[0] for key in keys}
    assert tables == {"migration", *(key for key in FIRST_STEP if "." not in key)}
    assert keys.issuperset(key for key in FIRST_STEP if "." in key)


def test_a_journal_from_before_a_key_was_there_has_its_default() -> None:
    earlier = {key: text for key, text in make_plan().flatten().items() if key != "cutover.late_mail"}
    records = {step.name: StepRecord(step.name, "done") for step in ordered("hold")}
    state = State(plan=earlier, steps=records)
    check(state, make_plan().flatten(), ordered("hold"), accept=False)
    with pytest.raises(UsageError, match=r"cutover\.late_mail: 1d → 2h"):
        check(
            state,
            make_plan(cutover=CutoverPlan(late_mail=timedelta(hours=2))).flatten(),
            ordered("hold"),
            accept=False,
        )
