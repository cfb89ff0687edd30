"""Under the firewall strategy the old host's port is closed, and opens by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.errors import VerifyFailed
from migrator.steps.close_old import CloseOld
from tests.steps.stage import Stage, script, summaries, undo_script


@pytest.fixture
def stage() -> Stage:
    stage = Stage(CloseOld(), "firewall")
    stage.plan(cutover=replace(stage.world.plan.cutover, max_closed=timedelta(seconds=90)))
    return stage


def test_the_summary_says_how_long_nobody_can_send(stage: Stage) -> None:
    assert summaries(stage.perform()) == ["close port 25 of the old host, for 90 s at most"]
    assert stage.old.port == "closed"
    stage.verify()


def test_the_timer_is_set_on_the_host_before_the_port_closes(stage: Stage) -> None:
    text = script(stage.perform()[0])
    assert "marker=/var/lib/migrate/example-mail/port25\n" in text
    assert 'setsid /bin/sh "$action" 90 ' in text
    assert "--on-active=90s" in text
    assert text.index("--on-active") < text.rindex("reject with tcp reset")


def test_what_the_timer_runs_opens_the_port(stage: Stage) -> None:
    text = script(stage.perform()[0])
    action = text.partition("<<'END_OF_ACTION'")[2].partition("END_OF_ACTION")[0]
    assert "delete table inet migrate_example_mail" in action
    assert "reject" not in action


def test_sendmail_goes_on_and_the_new_host_is_not_touched(stage: Stage) -> None:
    stage.perform()
    assert (stage.old.listening, stage.new.port) == (True, "open")


def test_undone_the_timer_goes_and_the_port_is_open(stage: Stage) -> None:
    text = undo_script(stage.perform()[0])
    assert text.index("disarm $earlier") < text.index("delete table inet migrate_example_mail")
    assert "END_OF_ACTION" not in text


def test_a_closed_port_is_not_closed_again(stage: Stage) -> None:
    stage.perform()
    assert stage.look() == []


@pytest.mark.parametrize("port", ["open", "partly closed"])
def test_anything_but_closed_fails(stage: Stage, port: str) -> None:
    stage.old.port = port
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert (failed.value.host, failed.value.expected, failed.value.seen) == ("old", "closed", port)
