"""The new host takes mail from the old one alone, whichever address that comes from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from migrator.change import Undo
from migrator.errors import VerifyFailed
from migrator.plan import HostPlan
from migrator.steps.common.opening import opened
from migrator.steps.open_to_old import OpenToOld, from_old
from tests.fakes import FakeHost
from tests.steps.stage import LISTENER, Stage, processes, script, summaries


@pytest.fixture
def stage() -> Stage:
    stage = Stage(OpenToOld())
    stage.new.port, stage.new.listening, stage.new.starts_at_boot = "closed", False, False
    return stage


def test_only_the_old_host_passes_and_sendmail_runs(stage: Stage) -> None:
    assert summaries(stage.perform()) == [
        "start Sendmail on the new host, open to the old one only (198.51.100.10)"
    ]
    assert (stage.new.port, stage.new.listening) == ("closed except 198.51.100.10", True)
    assert stage.new.starts_at_boot
    stage.verify()


def test_the_timer_and_the_rules_stand_before_sendmail_starts(stage: Stage) -> None:
    text = script(stage.perform()[0])
    starts = text.index("service sendmail start")
    assert text.index("--on-active=120s") < text.index("ip saddr 198.51.100.10 tcp dport 25 accept") < starts


def test_a_rollback_is_told_that_there_may_be_mail_to_bring_home(stage: Stage) -> None:
    assert stage.perform()[0].undo is Undo.NOT_NEEDED
    assert opened(stage.context())


def test_every_address_of_the_old_host_passes_once_and_in_order(stage: Stage) -> None:
    stage.plan(old=HostPlan("root@198.51.100.10", ("2001:db8::10", "198.51.100.10")))
    stage.facts("old", addresses=("198.51.100.10", "10.0.0.5", "2001:DB8:0::10"), source="203.0.113.9")
    assert from_old(stage.context()) == ("10.0.0.5", "198.51.100.10", "203.0.113.9", "2001:db8::10")
    text = script(stage.look()[0])
    assert "ip saddr 203.0.113.9 tcp dport 25 accept" in text
    assert "ip6 saddr 2001:db8::10 tcp dport 25 accept" in text


def test_what_is_open_to_the_old_host_is_left_alone(stage: Stage) -> None:
    stage.perform()
    assert stage.look() == []


def test_open_to_the_old_host_without_sendmail_is_not_done(stage: Stage) -> None:
    stage.new.port = "closed except 198.51.100.10"
    assert len(stage.look()) == 1
    with pytest.raises(VerifyFailed, match="does not run on the new host"):
        stage.verify()


def test_a_port_that_opened_to_all_by_its_timer_passes(stage: Stage) -> None:
    stage.new.port, stage.new.listening = "open", True
    processes(stage.new, LISTENER)
    stage.verify()


@pytest.mark.parametrize("port", ["closed", "closed except 192.0.2.1"])
def test_a_port_that_keeps_the_old_host_out_fails(stage: Stage, port: str) -> None:
    stage.new.port = port
    processes(stage.new, LISTENER)
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert failed.value.expected == "closed except to 198.51.100.10"


def test_a_port_that_other_rules_hide_is_not_open(stage: Stage) -> None:
    stage.perform()
    stage.new.hidden = True
    with pytest.raises(VerifyFailed, match="the old host does not get into port 25 of the new one") as failed:
        stage.verify()
    assert failed.value.seen == (
        "198.51.100.20: Connection refused; Sendmail there: 77 (sendmail: MTA: accepting connections)"
    )
    assert sum(stage.world.clock.slept) == 60


def test_a_port_that_opens_late_is_waited_for(stage: Stage) -> None:
    stage.perform()
    left = [True, True, False]

    def late(_host: FakeHost, _text: str) -> str:
        stage.new.hidden = left.pop(0)
        return f"reach 198.51.100.20\n{'ended 3' if stage.new.hidden else '< banner 220 x'}\n"

    stage.old.on(r"\nreach [0-9]", late)
    stage.verify()
    assert stage.world.clock.slept == [2.0, 2.0]


def test_no_longer_than_mail_may_wait(stage: Stage) -> None:
    stage.perform()
    stage.new.hidden = True
    with pytest.raises(VerifyFailed):
        stage.verify(deadline=stage.world.clock.now() + timedelta(seconds=5))
    assert sum(stage.world.clock.slept) == 6


def test_where_nobody_can_tell_the_queue_will(stage: Stage) -> None:
    stage.perform()
    stage.old.on(r"\nreach [0-9]", "reach 198.51.100.20\nended 127\n")
    stage.verify()


def test_a_wait_says_what_it_is_for(stage: Stage) -> None:
    stage.perform()
    stage.new.hidden = True
    told: list[str] = []
    with pytest.raises(VerifyFailed):
        stage.verify(tell=told.append)
    assert told[0].startswith(
        "waiting for the old host to get into port 25: 198.51.100.20: Connection refused"
    )
    assert len(told) > 3
