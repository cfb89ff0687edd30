"""The new host takes mail from everyone, and proves it by a dialogue."""

from __future__ import annotations

import pytest

from migrator.change import Undo
from migrator.errors import SmtpError, VerifyFailed
from migrator.steps.common.opening import opened
from migrator.steps.open_new import OpenNew
from tests.steps.stage import Stage, script, summaries


@pytest.fixture
def stage() -> Stage:
    stage = Stage(OpenNew())
    stage.new.port = "closed except 198.51.100.10"
    return stage


def test_sendmail_runs_the_timer_goes_and_the_port_opens(stage: Stage) -> None:
    stage.new.listening = False
    (change,) = stage.perform()
    assert change.summary == "open port 25 of the new host to all"
    text = script(change)
    places = [text.index(word) for word in ("service sendmail start", "disarm $earlier", "delete table inet")]
    assert places == sorted(places)
    assert (stage.new.port, stage.new.listening) == ("open", True)
    stage.verify()


def test_a_rollback_is_told_that_there_may_be_mail_to_bring_home(stage: Stage) -> None:
    assert stage.perform()[0].undo is Undo.NOT_NEEDED
    assert opened(stage.context())


def test_what_was_opened_is_left_alone(stage: Stage) -> None:
    stage.perform()
    assert stage.look() == []


def test_a_port_that_its_timer_opened_still_has_a_timer_to_drop(stage: Stage) -> None:
    stage.new.port = "open"
    assert summaries(stage.perform()) == ["open port 25 of the new host to all"]


def test_a_port_that_is_not_open_to_all_fails(stage: Stage) -> None:
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert (failed.value.expected, failed.value.seen) == ("open", "closed except to 198.51.100.10")


def test_an_open_port_that_takes_no_mail_for_the_domain_fails(stage: Stage) -> None:
    stage.perform()
    stage.world.mail.answer = lambda address, recipient: (550, f"5.1.1 {recipient} at {address}")
    with pytest.raises(VerifyFailed, match=r"does not take mail for user01@example\.test") as failed:
        stage.verify()
    assert failed.value.seen == "550 5.1.1 user01@example.test at 198.51.100.20"


def test_a_daemon_that_is_not_up_yet_is_waited_for(stage: Stage) -> None:
    stage.perform()
    left = [SmtpError("no connection")] * 3

    def answer(address: str, recipient: str) -> tuple[int, str]:
        if left:
            raise left.pop()
        return 250, "2.1.5 Ok"

    stage.world.mail.answer = answer
    stage.verify()
    assert stage.world.clock.slept == [0.5] * 3
