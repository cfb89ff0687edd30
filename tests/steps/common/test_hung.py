"""A delivery that no server answers holds its message for minutes: it is ended, and no other one is."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator.change import Shell, Undo
from migrator.sendmail.processes import Process
from migrator.steps.common import hung
from migrator.steps.common.opening import OPENED
from migrator.steps.flush import Flush
from migrator.steps.homeward.drain_home import DrainHome
from tests.hosts.shell import each_shell, run
from tests.steps.stage import LISTENER, Stage, processes, queue, queued, script, summaries

TITLE = "sendmail: MTA: ./4AT1 [198.51.100.20]: client greeting"
OLD = 97_000  # ticks: 30 s ago
YOUNG = 99_000


@pytest.fixture
def stage() -> Stage:
    stage = Stage(Flush())
    queue(stage.old, queued("qf4AT1", "user01@example.test"))
    return stage


class TestUnanswered:
    @pytest.mark.parametrize(
        "title",
        [
            TITLE,
            "sendmail: ./4AT1 mail.example.test.: client greeting",
            "sendmail: /var/spool/mqueue/q1/4AT1 mail.example.test.: client EHLO",
            "sendmail: MTA: 4AT1 [IPv6:2001:db8::20]: client HELO",
            "sendmail: ./4AT1 mail.example.test.: user open",
            "sendmail: ./4AT1 mail.example.test.: initial connection",
        ],
    )
    def test_a_delivery_that_has_heard_nothing_is_told_by_its_message(self, title: str) -> None:
        assert Process(1, 1, 1, 1, 0, title).unanswered == "4AT1"

    @pytest.mark.parametrize(
        "title",
        [
            "sendmail: ./4AT1 mail.example.test.: client MAIL",
            "sendmail: ./4AT1 mail.example.test.: client DATA status",
            "sendmail: ./4AT1 mail.example.test.: client DATA client greeting",
            "sendmail: ./4AT1 from queue",
            "sendmail: server mx.example.net [192.0.2.1] cmd read",
            "sendmail: 4AT1 mx.example.net [192.0.2.1]: RCPT TO:<a: client greeting",
            "vi ./4AT1 mail.example.test.: client greeting",
        ],
    )
    def test_one_that_may_have_sent_something_is_not(self, title: str) -> None:
        assert Process(1, 1, 1, 1, 0, title).unanswered == ""

    def test_a_program_may_call_itself_anything(self) -> None:
        assert Process(1, 1, 1, 1, 0, TITLE, program=True).unanswered == ""


class TestFlush:
    def test_a_hanging_delivery_is_ended_before_its_message_is_tried_again(self, stage: Stage) -> None:
        processes(stage.old, LISTENER, (79, 79, OLD, TITLE))
        first, second = stage.look(attempt=2)[:2]
        assert first.summary.startswith("end 1 deliveries on the old host that no server has answered: 79 (")
        assert "for one in 79:97000; do" in script(first)
        assert first.undo is Undo.NOT_NEEDED
        assert second.summary == "try 1 of the 1 messages that the old host queued"

    def test_the_first_attempt_ends_none(self, stage: Stage) -> None:
        processes(stage.old, LISTENER, (79, 79, OLD, TITLE))
        assert not [text for text in summaries(stage.look()) if text.startswith("end")]

    @pytest.mark.parametrize(
        "row",
        [
            (79, 79, YOUNG, TITLE),
            (79, 79, OLD, TITLE.replace("4AT1", "4AT2")),
            (79, 79, OLD, TITLE.replace("greeting", "DATA")),
        ],
        ids=["began just now", "of another message", "sends its message"],
    )
    def test_no_other_one_is_ended(self, stage: Stage, row: tuple[int, int, int, str]) -> None:
        processes(stage.old, LISTENER, row)
        assert not [text for text in summaries(stage.look(attempt=2)) if text.startswith("end")]


def test_on_the_way_home_it_is_the_new_host_s_that_are_ended() -> None:
    stage = Stage(DrainHome())
    stage.memory[OPENED] = "1"
    queue(stage.new, queued("qf4AT1", "user01@example.test"))
    processes(stage.new, LISTENER, (79, 77, OLD, TITLE))
    assert not [text for text in summaries(stage.look()) if text.startswith("end")]
    (change,) = [one for one in stage.look(attempt=2) if one.summary.startswith("end")]
    assert isinstance(change.do, Shell)
    assert change.do.host == "new"


@each_shell
class TestEndScript:
    def test_one_that_no_server_answers_ends(self, shell: str) -> None:
        with titled(TITLE) as process:
            done = run(shell, hung.end_script([_seen(process)]))
            assert (done.returncode, done.stderr) == (0, "")
            assert process.wait(5) == -9

    @pytest.mark.parametrize(
        "title", [TITLE.replace("greeting", "DATA"), TITLE.replace("sendmail", "vi"), f"{TITLE}s"]
    )
    def test_one_that_does_anything_else_goes_on(self, shell: str, title: str) -> None:
        with titled(title) as process:
            done = run(shell, hung.end_script([_seen(process)]))
            assert (done.returncode, done.stderr) == (0, "")
            assert _goes_on(process)

    def test_one_whose_number_another_process_has_goes_on(self, shell: str) -> None:
        with titled(TITLE) as process:
            seen = Process(process.pid, 1, 1, 1, 0, TITLE)
            assert run(shell, hung.end_script([seen])).returncode == 0
            assert _goes_on(process)

    def test_one_that_is_answered_while_it_is_stopped_goes_on(self, shell: str) -> None:
        # The look at what was stopped is made to find another title than the first.
        with titled(TITLE) as process:
            seen = _seen(process)
            text = hung.end_script([seen]).replace(
                "for one in", 'unanswered() { [ -z "${3:-}" ]; }\nfor one in', 1
            )
            assert run(shell, text).returncode == 0
            assert _goes_on(process)

    def test_one_that_is_gone_is_no_fault(self, shell: str) -> None:
        with titled(TITLE) as process:
            seen = _seen(process)
        done = run(shell, hung.end_script([seen]))
        assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def titled(title: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process whose command line begins with a title."""
    with subprocess.Popen(["bash", "-c", 'exec -a "$0" sleep 60', title]) as process:
        try:
            while not Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(title.encode()):
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


def _seen(process: subprocess.Popen[bytes]) -> Process:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return Process(process.pid, 1, 1, int(fields[19]), 0, TITLE)


def _goes_on(process: subprocess.Popen[bytes]) -> bool:
    time.sleep(0.2)
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[0]
    return process.poll() is None and state == "S"
