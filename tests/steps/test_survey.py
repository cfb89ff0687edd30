"""A rule that fails stops the run before anything is touched, with every reason in one go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from migrator.errors import Refused
from migrator.steps import survey
from migrator.steps.base import Context
from migrator.steps.rules import Level
from migrator.steps.rules.finding import Finding
from migrator.steps.survey import Survey
from tests.steps.stage import Stage

MARK = "/var/lib/migrate/example-mail/run"
FINDINGS = (
    Finding("disk", Level.PASS, "there is room", host="new"),
    Finding("ptr", Level.WARN, "the reverse record differs", host="operator"),
    Finding("rsync", Level.FAIL, "rsync is missing", host="old", advice="Install rsync."),
    Finding("space", Level.FAIL, "the disk is full", host="new", advice="Make room."),
)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    def first(context: Context) -> Sequence[Finding]:
        return FINDINGS[:3]

    def second(context: Context) -> Sequence[Finding]:
        return FINDINGS[3:]

    monkeypatch.setattr(survey, "RULES", (first, second))
    return Stage(Survey())


def test_every_rule_that_fails_is_named_with_what_to_do(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        stage.ready()
    assert refused.value.message == "rsync: rsync is missing; space: the disk is full"
    assert refused.value.advice == "Install rsync. Make room."
    assert (refused.value.host, refused.value.lifted_by) == ("old", "rsync")


def test_force_lifts_the_rule_that_it_names_and_no_other(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        stage.ready(force=frozenset({"rsync"}))
    assert refused.value.message == "space: the disk is full"
    stage.ready(force=frozenset({"rsync", "space"}))


def test_a_warning_stops_nobody_and_nothing_is_changed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "RULES", (lambda context: FINDINGS[:2],))
    stage.ready()
    stage.verify()
    assert [change.remember for change in stage.look()] == [{"machine.old": ""}, {"machine.new": ""}]


class TestResumed:
    """A later run passes the survey over, and still has to know both hosts again."""

    def test_the_same_machines_and_the_own_mark_are_passed_over(self, stage: Stage) -> None:
        for host in ("old", "new"):
            stage.facts(host, machine=f"machine of {host}")
            stage.memory[f"machine.{host}"] = f"machine of {host}"
            stage.world.host(host).files[MARK] = b"mine its journal is on a laptop\n"
        stage.step.resumed(stage.context(run="mine"))

    def test_another_machine_behind_the_same_key_is_refused(self, stage: Stage) -> None:
        stage.memory["machine.old"] = "before"
        stage.facts("old", machine="after")
        with pytest.raises(Refused, match="another machine") as refused:
            stage.step.resumed(stage.context())
        assert (refused.value.host, refused.value.lifted_by) == ("old", "same-host")
        with pytest.raises(Refused):
            stage.step.before_rollback(stage.context())
        stage.step.resumed(stage.context(force=frozenset({"same-host"})))

    def test_a_mark_of_another_run_is_refused_with_where_it_is(self, stage: Stage) -> None:
        stage.new.files[MARK] = b"theirs its journal is in /home/ann/.migrate/example-mail on laptop\n"
        with pytest.raises(Refused, match="example-mail on laptop") as refused:
            stage.step.resumed(stage.context(run="mine"))
        assert (refused.value.host, refused.value.lifted_by) == ("new", "other-run")
