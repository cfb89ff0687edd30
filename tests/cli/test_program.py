"""The commands end with the exit codes of the contract, and say what to do next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.check import Finding, Level
from migrator.errors import CommandFailed, NotReady, Refused
from migrator.event import Event, Kind
from migrator.journal import Lock, read_state
from migrator.steps.base import Context
from tests.cli.conftest import Desk
from tests.engine.bench import Probe, Survey, raising
from tests.engine.test_going_back import Ahead, Copy, Open, Suspending
from tests.fakes import NOON


class TestRun:
    def test_it_goes_to_the_end_and_says_so(self, desk: Desk) -> None:
        result = desk.type("run", "--yes")
        assert result.exit_code == 0
        assert "migrating example-mail" in result.stdout
        assert "✓ relay: done" in result.stdout
        assert read_state(desk.state).complete

    def test_a_finished_migration_is_told_and_exits_0(self, desk: Desk) -> None:
        desk.type("run", "--yes")
        result = desk.type("run")
        assert result.exit_code == 0
        assert "nothing is left to do" in result.stdout

    def test_until_stops_after_a_step(self, desk: Desk) -> None:
        assert desk.type("run", "--until", "survey").exit_code == 0
        assert list(read_state(desk.state).steps) == ["survey"]

    def test_an_unknown_step_is_exit_2_with_the_nearest_names(self, desk: Desk) -> None:
        result = desk.type("run", "--until", "relais")
        assert result.exit_code == 2
        assert "did you mean relay" in result.stderr

    def test_without_a_terminal_and_yes_it_refuses_before_mail_moves(self, desk: Desk) -> None:
        result = desk.type("run")
        assert result.exit_code == 3
        assert f"migrate run {desk.plan} --yes" in result.stderr
        assert "/etc/mail/mailertable" not in desk.world.old.files

    def test_a_failure_names_step_host_expected_seen_and_the_next_command(self, desk: Desk) -> None:
        error = CommandFailed("make failed", status=2, host="old", expected="0", seen="2", advice="see\nm4")
        desk.steps = (desk.steps[0], Probe(changes=raising(error)))
        result = desk.type("run")
        assert result.exit_code == 1
        assert result.stderr.splitlines() == [
            "make failed",
            "  step       probe",
            "  host       old host",
            "  expected   0",
            "  seen       2",
            "  to do      see",
            "             m4",
            f"  then type  migrate run {desk.plan}",
        ]

    def test_a_refusal_names_the_word_that_lifts_it(self, desk: Desk) -> None:
        desk.steps = (desk.steps[0], Probe(ready=raising(Refused("no room", lifted_by="space"))))
        result = desk.type("run")
        assert result.exit_code == 3
        assert f"migrate run {desk.plan} --force space" in result.stderr

    def test_force_reaches_the_steps(self, desk: Desk) -> None:
        words: list[frozenset[str]] = []
        desk.steps = (Probe(ready=lambda context: words.append(context.force)),)
        desk.type("run", "--force", "space", "--force", "clock")
        assert words == [frozenset({"space", "clock"})]

    def test_waiting_is_exit_75_with_the_time(self, desk: Desk) -> None:
        wait = NotReady("the old TTL runs out", until=NOON + timedelta(hours=48), advice="line 1\nline 2")
        desk.steps = (Probe(ready=raising(wait)),)
        result = desk.type("run")
        assert result.exit_code == 75
        assert "2026-12-01" in result.stderr
        assert "line 2" in result.stderr

    def test_wait_sleeps_through_it(self, desk: Desk) -> None:
        desk.steps = (Probe(ready=raising(NotReady("TTL", until=NOON + timedelta(seconds=90)), times=1)),)
        assert desk.type("run", "--wait").exit_code == 0
        assert desk.world.clock.slept == [60, 30]

    def test_another_run_holds_the_lock(self, desk: Desk) -> None:
        with Lock(desk.state):
            result = desk.type("run", "--yes")
        assert result.exit_code == 4
        assert f"process {os.getpid()}" in result.stderr

    def test_json_is_one_object_a_line_and_nothing_else(self, desk: Desk) -> None:
        result = desk.type("run", "--yes", "--json")
        events = [json.loads(line) for line in result.stdout.splitlines()]
        assert events[0]["kind"] == "run_started"
        assert events[-1]["kind"] == "run_done"
        assert all("change" not in event["data"] for event in events)

    def test_a_json_run_that_ends_early_ends_with_its_error(self, desk: Desk) -> None:
        desk.steps = (Probe(ready=raising(Refused("no room", lifted_by="space"))),)
        last = json.loads(desk.type("run", "--json").stdout.splitlines()[-1])
        assert (last["kind"], last["exit_code"], last["step"]) == ("ended", 3, "probe")

    def test_messages_of_the_executor_are_kept(self, desk: Desk) -> None:
        desk.on_notify = lambda notify: notify(Event(Kind.MESSAGE, NOON, "smoke", text="< 220 ready"))
        assert "220 ready" in desk.type("run", "--yes").stdout
        assert "< 220 ready" in (desk.state / "journal.jsonl").read_text()

    def test_text_of_a_host_cannot_paint_the_terminal(self, desk: Desk) -> None:
        seen = "\x1b[2J[bold]evil[/bold]\u202e"
        error = CommandFailed("make failed", status=2, host="old", seen=seen)
        desk.steps = (Probe(changes=raising(error)),)
        result = desk.type("run")
        assert "\\x1b[2J[bold]evil[/bold]\\u202e" in result.stderr
        assert "\x1b" not in result.stdout + result.stderr


class TestDryRun:
    def test_it_shows_changes_and_writes_nothing(self, desk: Desk) -> None:
        before = sorted(desk.folder.iterdir())
        result = desk.type("run", "--dry-run")
        assert result.exit_code == 0
        assert "would write /etc/mail/mailertable [old host]" in result.stdout
        assert "would run upload on old" in result.stdout
        assert sorted(desk.folder.iterdir()) == before

    def test_a_refusal_is_exit_3_and_the_rest_is_shown(self, desk: Desk) -> None:
        probe = Probe(ready=raising(Refused("no firewall", advice="install nftables")))
        desk.steps = (desk.steps[0], probe, *desk.steps[1:])
        result = desk.type("run", "--dry-run")
        assert result.exit_code == 3
        assert "install nftables" in result.stdout
        assert "would write /etc/mail/mailertable" in result.stdout

    def test_it_needs_no_lock(self, desk: Desk) -> None:
        with Lock(desk.state):
            assert desk.type("run", "--dry-run").exit_code == 0


class TestResume:
    def test_it_refuses_where_there_is_nothing_to_resume(self, desk: Desk) -> None:
        result = desk.type("resume")
        assert result.exit_code == 2
        assert "nothing to resume" in result.stderr

    def test_it_goes_on_where_the_last_run_stopped(self, desk: Desk) -> None:
        desk.type("run", "--until", "survey")
        assert desk.type("resume", "--yes").exit_code == 0
        assert read_state(desk.state).complete


class TestPlanChange:
    def test_it_is_exit_2_with_key_old_and_new(self, desk: Desk) -> None:
        desk.type("run", "--until", "survey")
        desk.plan.write_text(desk.plan.read_text() + '[dns]\nttl = "5m"\n')
        result = desk.type("run", "--yes")
        assert result.exit_code == 2
        assert "dns.ttl: 15m → 5m" in result.stderr
        assert desk.type("run", "--yes", "--accept-plan-change").exit_code == 0


class TestPlanFaults:
    def test_every_fault_is_told_with_key_and_line(self, desk: Desk) -> None:
        desk.plan.write_text(desk.plan.read_text().replace("mail_host", "mailhost") + "[dns]\nttl = 5\n")
        result = desk.type("run")
        assert result.exit_code == 2
        assert f"{desk.plan}:4: migration.mailhost" in result.stderr
        assert f"{desk.plan}:12: dns.ttl" in result.stderr

    def test_a_program_gets_them_as_json(self, desk: Desk) -> None:
        desk.plan.write_text("")
        ended = json.loads(desk.type("status", "--json").stdout)
        assert ended["exit_code"] == 2
        assert {fault["key"] for fault in ended["faults"]} >= {"migration.domains", "old.ssh"}


class TestStatus:
    def test_it_shows_every_step_also_those_to_come(self, desk: Desk) -> None:
        desk.type("run", "--until", "survey")
        result = desk.type("status")
        assert result.exit_code == 0
        assert [line.split()[1:3] for line in result.stdout.splitlines()[2:]] == [
            ["survey", "done"],
            ["relay", "open"],
            ["names", "open"],
        ]

    def test_before_the_first_run_it_says_so(self, desk: Desk) -> None:
        assert json.loads(desk.type("status", "--json").stdout) == {
            "name": "example-mail",
            "state": "not begun",
            "last": None,
            "steps": [],
            "changes": 0,
            "cutover": {what: {"predicted": None, "real": None} for what in ("mail", "mailboxes")},
        }

    def test_it_tells_how_long_mail_waited_beside_what_was_predicted(self, desk: Desk) -> None:
        desk.steps = (Survey(), Ahead(), Suspending(), Copy(), Open())
        desk.type("run", "--yes")
        took = {"predicted": 4.0, "real": 0.0}
        assert json.loads(desk.type("status", "--json").stdout)["cutover"]["mail"] == took
        last = desk.type("status").stdout.splitlines()[-1]
        assert last == "mail waited 0.0 s (predicted 4.0 s), mailboxes were closed 0.0 s (predicted 6.0 s)"

    def test_what_is_not_over_yet_is_told_as_such(self, desk: Desk) -> None:
        desk.steps = (Survey(), Ahead(), Suspending(), Copy(), Open())
        desk.type("run", "--yes", "--until", "copy")
        assert "mail waited: not over yet (predicted 4.0 s)" in desk.type("status").stdout

    def test_json_tells_what_a_step_waits_for(self, desk: Desk) -> None:
        until = NOON + timedelta(hours=48)
        desk.steps = (Probe(ready=raising(NotReady("the old TTL", until=until))),)
        desk.type("run")
        told = json.loads(desk.type("status", "--json").stdout)
        assert told["state"] == "waiting"
        assert told["steps"][0]["until"] == until.isoformat()
        assert told["steps"][0]["text"] == "the old TTL"

    def test_the_state_can_live_elsewhere(self, desk: Desk, tmp_path: Path) -> None:
        desk.type("run", "--until", "survey", "--state-dir", str(tmp_path / "elsewhere"))
        assert not desk.state.exists()
        told = json.loads(desk.type("status", "--json", "--state-dir", str(tmp_path / "elsewhere")).stdout)
        assert told["steps"][0]["state"] == "done"


class TestRollback:
    def test_it_restores_everything(self, desk: Desk) -> None:
        before = desk.world.files()
        desk.type("run", "--yes")
        result = desk.type("rollback")
        assert result.exit_code == 0
        assert "↶ undone: write /etc/mail/mailertable" in result.stdout
        assert desk.world.files() == before
        assert json.loads(desk.type("status", "--json").stdout)["state"] == "rolled back"

    def test_its_dry_run_shows_it(self, desk: Desk) -> None:
        desk.type("run", "--yes")
        before = desk.world.files()
        result = desk.type("rollback", "--dry-run")
        assert result.exit_code == 0
        assert "would undo: write /etc/mail/mailertable" in result.stdout
        assert desk.world.files() == before

    def test_nothing_to_undo_is_no_failure(self, desk: Desk) -> None:
        result = desk.type("rollback")
        assert (result.exit_code, "nothing to undo" in result.stdout) == (0, True)

    def test_a_step_can_refuse_and_then_nothing_is_touched(self, desk: Desk) -> None:
        desk.steps = (*desk.steps, Probe(before_rollback=raising(Refused("new mail stands there"))))
        desk.type("run", "--yes")
        before = desk.world.files()
        result = desk.type("rollback")
        assert result.exit_code == 3
        assert "new mail stands there" in result.stderr
        assert desk.world.files() == before


class TestCheck:
    def findings(self, *levels: Level) -> Callable[[Context], Iterator[Finding]]:
        def check(context: Context) -> Iterator[Finding]:
            for level in levels:
                yield Finding("space", level, f"{context.plan.name} has \x1b[2Jroom", "make room", host="new")

        return check

    def test_what_stands_in_the_way_is_exit_3_with_what_to_do(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("migrator.check.check", self.findings(Level.PASS, Level.WARN, Level.FAIL))
        result = desk.type("check")
        assert result.exit_code == 3
        assert [line.split()[0] for line in result.stdout.splitlines()] == ["pass", "warn", "→", "fail", "→"]
        assert "\\x1b[2Jroom" in result.stdout

    def test_warnings_alone_are_exit_0(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("migrator.check.check", self.findings(Level.WARN))
        result = desk.type("check", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["findings"][0]["level"] == "warn"
        assert not desk.state.exists()


class TestSignals:
    def test_ctrl_c_in_a_deed_is_130_and_the_journal_is_whole(self, desk: Desk) -> None:
        def interrupted(_host: object, _text: str) -> str:
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the signal was not heard")

        desk.world.old.on("kill -HUP", interrupted)
        result = desk.type("run", "--yes")
        assert result.exit_code == 130
        assert "interrupted in names: reload the daemon" in result.stdout
        assert "the journal is whole" in result.stderr
        desk.world.old.on("kill -HUP", "")
        assert desk.type("run").exit_code == 0

    def test_a_step_that_swallows_the_interruption_does_not_go_on(self, desk: Desk) -> None:
        def swallow(_context: object) -> None:
            with suppress(Exception):
                signal.raise_signal(signal.SIGTERM)

        desk.steps = (Probe(ready=swallow), *desk.steps)
        assert desk.type("run", "--yes").exit_code == 130
        assert not read_state(desk.state).finished("relay")


class TestInit:
    def test_it_writes_a_plan_and_overwrites_none(self, desk: Desk) -> None:
        desk.plan.unlink()
        assert desk.type("init").exit_code == 0
        assert "[migration]" in desk.plan.read_text()
        result = desk.type("init")
        assert result.exit_code == 2
        assert "exists" in result.stderr


class TestProgram:
    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "migrator", *arguments], capture_output=True, text=True, check=False
        )

    @pytest.mark.parametrize("command", ["init", "check", "run", "resume", "status", "rollback"])
    def test_every_command_has_help_with_an_example(self, command: str) -> None:
        result = self.run(command, "--help")
        assert result.returncode == 0
        assert f"migrate {command}" in result.stdout

    def test_a_wrong_command_line_is_exit_2(self) -> None:
        assert self.run("run", "--nonsense").returncode == 2
        assert self.run("walk").returncode == 2

    def test_the_version_is_told(self) -> None:
        assert self.run("--version").stdout.startswith("migrate ")

    def test_help_imports_nothing_heavy(self) -> None:
        code = (
            "import sys, migrator.cli.program; "
            "print([name for name in ('fabric', 'paramiko', 'dns', 'pydantic') if name in sys.modules])"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert told.stdout == "[]\n"

    def test_an_unforeseen_error_is_one_sentence(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        from migrator.cli.outcome import unexpected

        told: list[str] = []
        monkeypatch.setattr(sys.stderr, "write", told.append)
        assert unexpected(RuntimeError("what\nwas that"), debug=False) == 1
        assert "".join(told) == (
            "migrate has a fault of its own: RuntimeError: what\\nwas that (--debug shows where)\n"
        )
