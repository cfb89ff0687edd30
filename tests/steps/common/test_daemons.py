"""Which processes hold which configuration, and how their end is waited for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator.errors import CommandFailed
from migrator.hosts.base import Output
from migrator.sendmail.processes import Process
from migrator.steps.close_new import CloseNew
from migrator.steps.common import daemons
from tests.hosts.shell import each_shell
from tests.steps.stage import LISTENER, Stage, processes

RUNNER = (78, 80, 100, "sendmail: Queue runner@00:10:00 for /var/spool/mqueue")
SESSION = (79, 77, 95_000, "sendmail: server mx.example.net [192.0.2.1] cmd read")
DELIVERY = (81, 60, 89_000, "sendmail: ./4ATxyz from queue")
COMMAND = (82, 60, 89_000, "/usr/sbin/sendmail -t")


@pytest.fixture
def stage() -> Stage:
    return Stage(CloseNew())


def pids(found: tuple[Process, ...]) -> list[int]:
    return [process.pid for process in found]


class TestRunning:
    def test_each_kind_is_told_by_its_title(self, stage: Stage) -> None:
        processes(stage.old, LISTENER, RUNNER, SESSION, DELIVERY, COMMAND)
        found = daemons.running(stage.old)
        assert pids(found.listeners) == [77]
        assert pids(found.unfinished) == [79, 81]
        assert found.generations == {77, 80}

    def test_a_process_is_of_the_generation_whose_session_it_is_in(self, stage: Stage) -> None:
        processes(stage.old, LISTENER, SESSION, DELIVERY)
        found = daemons.running(stage.old)
        assert pids(found.unfinished_of(frozenset({77}))) == [79, 81]
        assert pids(found.unfinished_of(frozenset({60}))) == [81]
        assert pids(found.unfinished_of(frozenset())) == [81]  # older than the listener

    @pytest.mark.parametrize(
        ("written", "stale"), [(1000, []), (100, []), (98, [77]), (1, [77]), (-3600, [])]
    )
    def test_a_listener_older_than_sendmail_cf_is_stale(
        self, stage: Stage, written: int, stale: list[int]
    ) -> None:
        # The last one: the clock was set back since, so the file is of the future.
        processes(stage.old, LISTENER, written=written)
        assert pids(daemons.running(stage.old).stale_listeners) == stale

    @pytest.mark.parametrize(
        "output", [Output(1, "", "sh: no /proc"), Output(0, "", ""), Output(0, "1 2\n\0", "")]
    )
    def test_a_look_that_fails_is_never_read_as_no_process(self, stage: Stage, output: Output) -> None:
        stage.old.on("CLK_TCK.*proc", output)
        with pytest.raises(CommandFailed, match="could not be listed") as failed:
            daemons.running(stage.old)
        assert failed.value.host == "old"


class TestWords:
    def test_a_process_is_remembered_with_its_start(self, stage: Stage) -> None:
        processes(stage.old, SESSION, DELIVERY)
        found = daemons.running(stage.old).all
        assert daemons.named(found) == "79:95000 81:89000"
        assert pids(daemons.remaining(found, "79:1 81:89000")) == [81]

    def test_of_many_the_first_five_are_shown(self, stage: Stage) -> None:
        processes(stage.old, *((number, 1, 1, "sendmail: x") for number in range(1, 8)))
        assert daemons.words(daemons.running(stage.old).all).endswith("5 (sendmail: x) and 2 more")
        assert daemons.words(()) == "none"


@contextmanager
def process(title: str) -> Iterator[tuple[subprocess.Popen[bytes], Process]]:
    """Run a process whose whole command line is this title; it lives until its input ends."""
    with subprocess.Popen([title], executable="/bin/cat", stdin=subprocess.PIPE) as child:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2].split()
        try:
            yield child, Process(child.pid, 1, 1, int(fields[19]), 0, title)
        finally:
            child.kill()


def script(shell: str, *waited_for: Process, patience: int = 0, longest: int = 3) -> subprocess.Popen[str]:
    text = daemons.end_script(waited_for, patience=patience, longest=longest)
    return subprocess.Popen([shell, "-c", text], stderr=subprocess.PIPE, text=True)


@each_shell
class TestEndScript:
    def test_a_process_that_ends_is_waited_for(self, shell: str) -> None:
        with process("sendmail: ./4ATxyz from queue") as (child, known), script(shell, known) as waiting:
            assert child.stdin
            child.stdin.close()
            assert child.wait(10) == 0
            assert waiting.wait(10) == 0

    def test_an_idle_session_is_ended(self, shell: str) -> None:
        title = "sendmail: server mx.example.net [192.0.2.1] cmd read"
        with process(title) as (child, known), script(shell, known) as waiting:
            assert child.wait(10) == -15
            assert waiting.wait(10) == 0

    def test_an_idle_session_may_end_by_itself_first(self, shell: str) -> None:
        with (
            process("sendmail: server mx.example.net [192.0.2.1] cmd read") as (child, known),
            script(shell, known, patience=5, longest=1) as waiting,
        ):
            assert waiting.wait(10) == 1
            assert child.poll() is None

    def test_a_session_that_holds_a_message_is_left_alone_and_named(self, shell: str) -> None:
        title = "sendmail: 4ATxyz mx.example.net [192.0.2.1]: cmd read DATA"
        with process(title) as (child, known), script(shell, known, longest=1) as waiting:
            assert waiting.wait(10) == 1
            assert waiting.stderr
            assert waiting.stderr.read() == f"still running after 1 s: {known.pid}:{known.started}\n"
            assert child.poll() is None

    def test_a_number_that_has_passed_to_another_process_is_not_waited_for(self, shell: str) -> None:
        with process("sendmail: server mx.example.net [192.0.2.1] cmd read") as (child, known):
            earlier = Process(known.pid, 1, 1, known.started - 1, 0, known.title)
            with script(shell, earlier) as waiting:
                assert waiting.wait(10) == 0
            assert child.poll() is None

    def test_a_process_that_is_gone_is_not_waited_for(self, shell: str) -> None:
        with script(shell, Process(2**22 + 1, 1, 1, 1, 0, "gone")) as waiting:
            assert waiting.wait(10) == 0
