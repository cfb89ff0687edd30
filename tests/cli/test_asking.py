"""What is asked before mail moves back, and files of this machine that are looked for before a host is contacted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Self, TextIO

import pytest

import migrator.steps.homeward
from migrator.change import Change, Note, Undo
from migrator.cli import driving
from migrator.journal import Lock
from migrator.steps.base import Context
from migrator.steps.common.opening import OPENED
from tests.cli.conftest import PLAN, Desk
from tests.engine.bench import STEPS, Survey


class AtTerminal:
    """What a command takes for the module `sys`: somebody sits there."""

    stdin = SimpleNamespace(isatty=lambda: True)

    @property
    def stdout(self) -> TextIO:
        return sys.stdout


class Open(Survey):
    """Open the new host."""

    name = "open"

    def changes(self, context: Context) -> Iterator[Change]:
        if OPENED not in context.memory:
            yield Change("open", Note(), Undo.NOT_NEEDED, {OPENED: "2026-11-29T12:00:00+00:00"})


@pytest.fixture
def moved(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(migrator.steps.homeward, "homeward", lambda: ())
    desk.steps = (*STEPS, Open())
    assert desk.type("run", "--yes").exit_code == 0
    return desk


class TestRollback:
    def test_without_a_terminal_and_yes_it_refuses_where_mail_has_moved(self, moved: Desk) -> None:
        before = moved.world.files()
        result = moved.type("rollback")
        assert result.exit_code == 3
        assert f"migrate rollback {moved.plan} --yes" in result.stderr
        assert moved.world.files() == before
        assert "rolling back" not in moved.type("status").stdout

    def test_yes_answers(self, moved: Desk) -> None:
        assert moved.type("rollback", "--yes").exit_code == 0

    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 3)])
    def test_on_a_terminal_it_is_asked(
        self, moved: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
    ) -> None:
        monkeypatch.setattr(driving, "sys", AtTerminal())
        result = moved.type("rollback", answer=answer)
        assert result.exit_code == code, result.stderr
        assert "moves back to root@198.51.100.10; the new host takes mail since 2026-11-29" in result.stderr

    @pytest.mark.parametrize("command", ["run", "rollback"])
    def test_the_end_of_the_input_is_a_no(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setattr(migrator.steps.homeward, "homeward", lambda: ())
        monkeypatch.setattr(driving, "sys", AtTerminal())
        desk.steps = (*STEPS, Open())
        if command == "rollback":
            assert desk.type("run", "--yes").exit_code == 0
        result = desk.type(command, answer="")
        assert (result.exit_code, "to do" in result.stderr) == (3, True), result.stderr

    def test_a_dry_run_asks_nothing(self, moved: Desk) -> None:
        assert moved.type("rollback", "--dry-run").exit_code == 0

    def test_where_no_mail_moved_nothing_is_asked(self, desk: Desk) -> None:
        desk.type("run", "--yes")
        assert desk.type("rollback").exit_code == 0

    def test_what_refuses_is_told_before_anybody_is_asked(self, moved: Desk) -> None:
        moved.world.old.files["/etc/mail/mailertable"] += b"other.test local:\n"
        result = moved.type("rollback")
        assert "edited-files" in result.stderr

    def test_one_that_goes_on_was_agreed_to(self, moved: Desk) -> None:
        moved.world.old.on("kill -HUP", "")
        moved.world.old.lost = True
        assert moved.type("rollback", "--yes").exit_code == 1
        moved.world.old.lost = False
        assert "not answered" not in moved.type("rollback").stderr


class TestAnotherProcess:
    """What another process did between the first look at the journal and the lock counts."""

    @pytest.mark.parametrize(("command", "told"), [("run", "is left to do"), ("resume", "is left to do")])
    def test_a_run_that_another_one_ended_has_nothing_left_to_do(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str, told: str
    ) -> None:
        desk.type("run", "--until", "survey")
        self.before_the_lock(desk, monkeypatch, "run")
        result = desk.type(command, "--yes")
        assert (result.exit_code, told in result.stdout) == (0, True), result.stdout

    def test_what_another_one_took_back_is_not_resumed(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk.type("run", "--until", "survey")
        self.before_the_lock(desk, monkeypatch, "rollback")
        result = desk.type("resume", "--yes")
        assert (result.exit_code, "nothing to resume" in result.stderr) == (2, True), result.stderr

    def test_what_another_one_took_back_is_not_undone_again(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk.type("run", "--yes")
        self.before_the_lock(desk, monkeypatch, "rollback")
        result = desk.type("rollback", "--yes")
        assert (result.exit_code, "nothing to undo" in result.stdout) == (0, True), result.stdout

    def before_the_lock(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
        """Let another process do a command just before this one takes the lock."""

        class Late(Lock):
            def __enter__(self) -> Self:
                monkeypatch.setattr(driving, "Lock", Lock)
                assert desk.type(command, "--yes").exit_code == 0
                return super().__enter__()

        monkeypatch.setattr(driving, "Lock", Late)


@pytest.mark.parametrize(
    "command", [("check",), ("run",), ("run", "--dry-run"), ("resume",), ("check", "--remove-keys")]
)
def test_a_file_that_is_missing_is_exit_2_and_no_host_is_contacted(
    desk: Desk, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wired(*_: object) -> None:
        raise AssertionError("a host is contacted")

    monkeypatch.setattr(sys.modules["migrator.cli.wiring"], "wired", wired)
    desk.plan.write_text(PLAN + 'identity_file = "keys/id"\n')
    result = desk.type(*command)
    assert result.exit_code == 2
    assert f"new.identity_file: {desk.folder}/keys/id is not there" in result.stderr


def test_a_rollback_whose_journal_needs_a_file_that_is_gone_is_exit_2(desk: Desk) -> None:
    key = desk.folder / "id"
    key.write_text("secret")
    desk.plan.write_text(PLAN + 'identity_file = "id"\n')
    desk.type("run", "--yes")
    key.unlink()
    before = desk.world.files()
    result = desk.type("rollback", "--yes")
    assert (result.exit_code, desk.world.files()) == (2, before)
    assert f"new.identity_file: {key} is not there" in result.stderr
    assert desk.type("status").exit_code == 0


def test_the_word_for_a_lost_old_host_leads_to_the_chain_without_it(desk: Desk) -> None:
    desk.type("run", "--until", "survey")
    result = desk.type("run", "--yes", "--force", "old-host-lost")
    assert result.exit_code == 3
    assert "no copy of the mail is whole" in result.stderr
    assert desk.type("rollback", "--force", "old-host-lost").exit_code == 3
