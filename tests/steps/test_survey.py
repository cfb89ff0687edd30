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
    assert stage.look() == []
    stage.verify()
