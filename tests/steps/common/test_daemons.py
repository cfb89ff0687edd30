"""Which processes hold which configuration, and how their end is waited for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
        assert pids(found.unfinished) == [79, 81, 82]
        assert found.generations == {77, 80}

    @pytest.mark.parametrize(
        ("title", "counts"),
        [
            ("/usr/sbin/sendmail -Am user01@example.test", True),
            ("/usr/sbin/sendmail -t -i", True),
            ("sendmail -bs", True),
            ("sendmail -q", True),
            ("mail-by-another-name", True),
            ("sendmail -f -bv user01", True),
            ("sendmail -bv -bm user01", True),
            ("sendmail: running queue: /var/spool/mqueue", True),
            ("sendmail -bv -OTimeout.resolver.retry=1 -- user01", False),
            ("sendmail -bt", False),
            ("/usr/bin/newaliases", False),
            ("mailq", False),
            ("sendmail: MSP: running queue: /var/spool/mqueue-client", False),
            ("sendmail: MTA: 4AT mx.evil.example [192.0.2.1]: RCPT TO:</var/spool/mqueue-client", True),
        ],
    )
    def test_what_has_no_title_may_deliver_as_well(self, stage: Stage, title: str, counts: bool) -> None:
        processes(stage.old, LISTENER, (82, 60, 89_000, title), (83, 60, 95_000, title))
        found = daemons.running(stage.old)
        assert pids(found.unfinished) == ([82, 83] if counts else [])
        assert pids(found.unfinished_of(frozenset())) == ([82] if counts else [])

    def test_what_hands_mail_of_the_client_queue_on_delivers_nothing(self, stage: Stage) -> None:
        processes(stage.old, LISTENER, COMMAND)
        found = daemons.running(stage.old)
        client = replace(found, all=tuple(replace(one, client=True) for one in found.all[1:]))
        assert pids(client.unfinished) == []

    def test_a_program_that_sendmail_started_is_waited_for_unless_it_is_a_service(self, stage: Stage) -> None:
        processes(stage.old, LISTENER)
        found = daemons.running(stage.old)
        program = Process(90, 1, 90, 89_000, 1001, "sendmail: MTA: accepting connections", program=True)
        service = replace(program, pid=91, started=1)
        later = replace(found, all=(*found.all, program, service), uptime=found.uptime + 23.5 * 3600)
        assert pids(later.listeners) == [77]
        assert pids(later.unfinished_of(frozenset())) == [90, 91]
        assert pids(replace(later, uptime=later.uptime + 1000).unfinished) == [90]

    def test_a_runner_of_before_the_listener_holds_the_earlier_configuration(self, stage: Stage) -> None:
        child = (83, 80, 95_000, "sendmail: ./4ATxyz from queue")
        client = (84, 84, 100, "sendmail: Queue runner@00:10:00 for /var/spool/mqueue-client")
        processes(stage.old, LISTENER, RUNNER, child, client)
        found = daemons.running(stage.old)
        assert pids(found.stale_runners(frozenset({80, 84}))) == [78]
        assert pids(found.stale_runners(frozenset({1}))) == []
        assert pids(found.of_before(frozenset({80}))) == [83]

    def test_a_runner_that_started_anew_does_not(self, stage: Stage) -> None:
        child = (83, 80, 95_000, "sendmail: ./4ATxyz from queue")
        processes(stage.old, LISTENER, (78, 80, 91_000, RUNNER[3]), child)
        found = daemons.running(stage.old)
        assert found.stale_runners(frozenset({80})) == ()
        assert found.of_before(frozenset({80})) == ()

    def test_a_permanent_runner_is_not_waited_for_while_it_waits_itself(self, stage: Stage) -> None:
        control = (78, 80, 95_000, "sendmail: MTA: Queue control")
        rows = (LISTENER, control, (79, 80, 95_001, "sendmail: MTA: running queue: /var/spool/mqueue"))
        processes(stage.old, *rows)
        found = daemons.running(stage.old)
        worker = replace(found.all[2], parent=78)
        assert pids(found.unfinished) == [79]
        assert pids(replace(found, all=(*found.all[:2], worker)).unfinished) == []

    def test_what_bridges_a_reload_is_no_listener_and_no_delivery(self, stage: Stage) -> None:
        bridge = (78, 78, 80_000, "sendmail: migrate-bridge: accepting connections")
        processes(stage.old, LISTENER, bridge)
        found = daemons.running(stage.old)
        assert (pids(found.listeners), pids(found.bridges), found.unfinished) == ([77], [78], ())
        assert found.generations == {77}

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
