"""The old host takes mail again, as a relay, and no timer is left to touch its firewall."""

from __future__ import annotations

import pytest

from migrator.change import Undo
from migrator.errors import VerifyFailed
from migrator.steps.open_old import OpenOld
from tests.steps.stage import Stage, script, summaries


@pytest.fixture
def stage() -> Stage:
    stage = Stage(OpenOld(), "firewall")
    stage.old.port = "closed"
    return stage


def test_the_timer_goes_and_the_port_opens(stage: Stage) -> None:
    (change,) = stage.perform()
    assert change.summary == "open port 25 of the old host"
    text = script(change)
    assert text.index("disarm $earlier") < text.index("delete table inet migrate_example_mail")
    assert change.undo is Undo.NOT_NEEDED
    assert stage.old.port == "open"
    stage.verify()


def test_a_port_that_its_timer_opened_still_has_a_timer_to_drop(stage: Stage) -> None:
    stage.old.port = "open"
    assert summaries(stage.perform()) == ["open port 25 of the old host"]
    assert stage.look() == []


def test_a_port_that_was_closed_again_is_opened_again(stage: Stage) -> None:
    stage.perform()
    stage.old.port = "closed"
    assert len(stage.look()) == 1


def test_a_closed_port_fails(stage: Stage) -> None:
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert (failed.value.host, failed.value.expected, failed.value.seen) == ("old", "open", "closed")


def test_an_open_port_that_takes_no_mail_for_the_domain_fails(stage: Stage) -> None:
    stage.perform()
    stage.world.mail.answer = lambda address, recipient: (550, "5.7.1 Access denied")
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert failed.value.expected == "RCPT TO:<user01@example.test> at 198.51.100.10 is answered with 250"
