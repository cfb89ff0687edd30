"""The new host is closed and quiet before anything is copied over its mailboxes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.change import Shell, Undo
from migrator.errors import NotReady, Refused, VerifyFailed
from migrator.plan.shapes import Window
from migrator.steps.close_new import WAITED, CloseNew
from tests.fakes import NOON
from tests.steps.stage import LISTENER, Stage, processes, script, summaries, undo_script

SESSION = (79, 77, 95_000, "sendmail: 4ATxyz mx.example.net [192.0.2.1]: DATA")
CLOSING = "close port 25 of the new host and stop its Sendmail"


@pytest.fixture
def stage() -> Stage:
    return Stage(CloseNew())


def test_the_port_is_closed_before_sendmail_is_stopped(stage: Stage) -> None:
    (change,) = stage.perform()
    assert change.summary == CLOSING
    text = script(change)
    assert text.startswith("set -e\n")
    assert text.index("tcp dport 25") < text.index("service sendmail stop")
    assert (stage.new.port, stage.new.listening) == ("closed", False)
    assert (stage.old.port, stage.old.listening) == ("open", True)
    stage.verify()


def test_nobody_passes_and_no_timer_opens_it(stage: Stage) -> None:
    text = script(stage.perform()[0])
    assert "saddr" not in text
    assert "END_OF_ACTION" not in text


def test_a_reboot_of_the_new_host_does_not_start_sendmail(stage: Stage) -> None:
    (change,) = stage.perform()
    assert script(change).index("migrate-example-mail.") < script(change).index("service sendmail stop")
    assert not stage.new.starts_at_boot
    stage.executor.execute(Shell("new", undo_script(change)))
    assert (stage.new.starts_at_boot, stage.new.listening, stage.new.port) == (True, True, "open")


def test_what_would_start_it_at_boot_is_named(stage: Stage) -> None:
    stage.new.port, stage.new.listening = "closed", False
    with pytest.raises(VerifyFailed, match="a reboot of the new host") as failed:
        stage.verify()
    assert failed.value.seen == "/etc/rc2.d/S01sendmail"


def test_undone_sendmail_listens_before_the_port_opens(stage: Stage) -> None:
    text = undo_script(stage.perform()[0])
    assert text.index("service sendmail start") < text.rindex("nft -f -")


@pytest.mark.parametrize(
    ("port", "listening", "starts_at_boot"),
    [
        ("open", False, False),
        ("closed", True, False),
        ("partly closed", False, False),
        ("closed", False, True),
    ],
)
def test_half_of_it_is_not_enough(stage: Stage, port: str, listening: bool, starts_at_boot: bool) -> None:
    stage.new.port, stage.new.listening = port, listening
    stage.new.starts_at_boot = starts_at_boot
    assert summaries(stage.look()) == [CLOSING]
    with pytest.raises(VerifyFailed):
        stage.verify()


def test_a_port_that_lets_the_old_host_pass_is_not_closed(stage: Stage) -> None:
    stage.new.port, stage.new.listening = "closed except 198.51.100.10", False
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert (failed.value.expected, failed.value.seen) == ("closed", "closed except to 198.51.100.10")
    assert summaries(stage.look()) == [CLOSING]


def test_open_sessions_are_waited_for_and_remembered(stage: Stage) -> None:
    stage.new.port, stage.new.starts_at_boot = "closed", False
    processes(stage.new, SESSION)
    (change,) = stage.perform()
    assert change.summary == "let 1 sessions and deliveries end on the new host"
    assert "for one in 79:95000; do" in script(change)
    assert change.undo is Undo.NOT_NEEDED
    assert stage.memory == {WAITED: "79:95000"}
    assert stage.look() == []


def test_a_session_that_was_waited_for_and_lives_fails(stage: Stage) -> None:
    stage.new.port = "closed"
    stage.memory[WAITED] = "79:95000"
    processes(stage.new, SESSION)
    with pytest.raises(VerifyFailed, match="still runs on the new host") as failed:
        stage.verify()
    assert failed.value.seen == "79 (sendmail: 4ATxyz mx.example.net [192.0.2.1]: DATA)"


def test_a_number_that_was_used_again_is_another_process(stage: Stage) -> None:
    stage.new.port = "closed"
    stage.memory[WAITED] = "79:10"
    stage.new.starts_at_boot = False
    processes(stage.new, SESSION)
    stage.verify()


def test_a_listener_behind_a_closed_port_fails(stage: Stage) -> None:
    stage.new.port = "closed"
    processes(stage.new, LISTENER)
    with pytest.raises(VerifyFailed, match="still runs on the new host"):
        stage.verify()


def test_a_host_without_a_firewall_cannot_be_closed(stage: Stage) -> None:
    stage.facts("new", firewall="")
    with pytest.raises(Refused, match="no firewall tool"):
        stage.look()


class TestWindow:
    """What passed `wait` in time may come here too late: a long copy, or a run that goes on the next morning."""

    HOURS = timedelta(hours=4)

    def ask(self, stage: Stage, start: timedelta) -> None:
        stage.plan(cutover=replace(stage.world.plan.cutover, window=Window(NOON + start, self.HOURS)))
        stage.step.question(stage.context())

    def test_mail_moves_while_it_is_open(self, stage: Stage) -> None:
        self.ask(stage, timedelta(hours=-1))

    def test_nothing_begins_after_its_end(self, stage: Stage) -> None:
        with pytest.raises(NotReady, match="the maintenance window has closed") as waiting:
            self.ask(stage, -self.HOURS)
        assert "--accept-plan-change" in str(waiting.value.advice)

    def test_nothing_begins_before_its_start(self, stage: Stage) -> None:
        with pytest.raises(NotReady, match="opens at") as waiting:
            self.ask(stage, timedelta(minutes=1))
        assert waiting.value.until == NOON + timedelta(minutes=1)


def test_an_old_host_that_is_kept_out_moves_no_mail(stage: Stage) -> None:
    stage.new.hidden = True
    with pytest.raises(Refused, match="does not get into port 25 of the new one") as refused:
        stage.ready()
    assert "198.51.100.20: Connection refused" in str(refused.value.seen)
    assert "accepting connections" in str(refused.value.seen)
    stage.ready(force=frozenset({str(refused.value.lifted_by)}))


def test_a_port_that_the_run_closed_keeps_nobody_from_going_on(stage: Stage) -> None:
    stage.perform()
    stage.ready()


def test_a_new_host_whose_sendmail_does_not_run_tells_nothing(stage: Stage) -> None:
    stage.new.listening = False
    stage.ready()
