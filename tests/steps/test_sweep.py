"""The sweep makes the copy exact on a closed new host, while the old one still serves everybody."""

from __future__ import annotations

import pytest

from migrator.errors import Refused, StartOver
from migrator.steps.sweep import Sweep
from tests.steps.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage(Sweep())
    stage.new.port, stage.new.listening = "closed", False
    return stage


def test_everything_is_looked_at_and_what_is_gone_is_deleted(stage: Stage) -> None:
    stage.perform()
    assert stage.passes == [(0, True, "whole"), (1, True, "whole")]
    stage.verify()
    assert stage.look() == []


def test_the_old_hosts_port_stays_open(stage: Stage) -> None:
    stage.perform()
    assert stage.old.port == "open"
    assert stage.executor.performed
    assert {command.host for command in stage.executor.performed} == {"new"}


def test_a_new_host_that_takes_mail_is_closed_first(stage: Stage) -> None:
    stage.new.port = "open"
    for ask in (stage.ready, stage.verify):
        with pytest.raises(StartOver) as again:
            ask()
        assert again.value.step == "close-new"


def test_mail_that_came_in_on_the_new_host_is_never_deleted(stage: Stage) -> None:
    stage.new.on(r"look\(\)", "1796000000\n/srv/mail/user01/new/1\n")
    for ask in (stage.ready, stage.look):
        with pytest.raises(Refused, match="mail of its own") as refused:
            ask()
        assert refused.value.lifted_by == "overwrite-new"


def test_no_more_may_be_deleted_than_the_plan_says_unless_it_is_forced(stage: Stage) -> None:
    assert {change.do.max_delete for change in stage.look() if change.do.kind == "rsync"} == {0.5}
    forced = stage.look(force=frozenset(["max-delete"]))
    assert {change.do.max_delete for change in forced if change.do.kind == "rsync"} == {1.0}
