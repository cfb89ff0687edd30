"""A tool as it is typed: which host, what is shown and asked, the exit codes, and the undo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from typer.testing import CliRunner, Result

from migrator.cli.program import app
from migrator.cli.toolbox import driving
from migrator.cli.toolbox import target as targets
from migrator.cli.toolbox.common import Common
from migrator.errors import UsageError
from migrator.executor import DryRunExecutor
from migrator.journal import Lock
from migrator.plan import Plan
from tests.cli.conftest import PLAN
from tests.cli.test_asking import AtTerminal
from tests.fakes import FakeExecutor
from tests.toolbox.configured import MC, Configured

HOST = ("--host", "root@198.51.100.20")


class Terminal:
    """Where tools are typed, before a host that is no real one."""

    def __init__(self, folder: Path) -> None:
        self.stand = Configured()
        self.folder = folder
        self.plans: list[Plan] = []

    @contextmanager
    def reached(self, chosen: targets.Target, force: frozenset[str], _notify: object) -> Iterator[Any]:
        self.plans.append(chosen.plan)
        context = self.stand.world.context(plan=chosen.plan, force=force)
        hosts = {"old": self.stand.world.old, "new": self.stand.world.new}
        dry = DryRunExecutor(chosen.plan, hosts, notify=lambda _event: None)  # type: ignore[arg-type] # fakes
        yield SimpleNamespace(context=context, live=lambda: FakeExecutor(self.stand.world), dry=lambda: dry)

    def type(self, *words: str, answer: str = "") -> Result:
        words = ("sendmail", *words, "--state-dir", str(self.folder / "state"))
        result = CliRunner().invoke(app, words, input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def data(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.type(*words, "--json").stdout.splitlines()]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    found = Terminal(tmp_path)
    monkeypatch.setattr(driving, "reached", found.reached)
    monkeypatch.delenv("MIGRATE_STATE_DIR", raising=False)
    # The fake host has no rebuild, so that what is measured afterwards is what the file says.
    monkeypatch.setattr("migrator.toolbox.harden.Harden.verify", lambda _tool, _context: None)
    return found


def test_a_rehearsal_shows_the_difference_and_changes_nothing(terminal: Terminal) -> None:
    before = dict(terminal.stand.host.files)
    result = terminal.type("harden", "recipients", *HOST, "--dry-run")
    assert result.exit_code == 0
    assert "+define(`confMAX_RCPTS_PER_MESSAGE', `10')dnl" in result.stdout
    assert "nothing was changed" in result.stdout
    assert terminal.stand.host.files == before
    assert not (terminal.folder / "state").exists()


def test_without_yes_and_without_a_terminal_nothing_is_done(terminal: Terminal) -> None:
    result = terminal.type("harden", "recipients", *HOST)
    assert result.exit_code == 3
    assert "--yes" in result.stderr
    assert "confMAX_RCPTS" not in terminal.stand.text(MC)


def test_what_is_done_is_told_measured_and_undone(terminal: Terminal) -> None:
    before = dict(terminal.stand.host.files)
    told = terminal.data("harden", "recipients", *HOST, "--yes")
    assert [event["data"].get("when") for event in told if event["kind"] == "message"] == ["before", "after"]
    assert told[-1]["data"] == {"changed": True}
    assert not [event for event in told if event["kind"] == "run_started"], "no migration has begun"
    assert "confMAX_RCPTS" in terminal.stand.text(MC)
    journal = terminal.folder / "state" / "toolbox-198.51.100.20" / "journal.jsonl"
    assert journal.stat().st_mode & 0o077 == 0
    undone = terminal.data("undo", *HOST, "--yes")
    assert undone[-1]["data"] == {"changed": True}
    assert terminal.stand.host.files == before
    assert terminal.data("undo", *HOST, "--yes")[-1]["data"] == {"changed": False}


def test_a_host_is_called_what_it_was_called(terminal: Terminal) -> None:
    text = terminal.type("harden", "recipients", *HOST, "--yes").stdout
    assert "198.51.100.20" in text
    assert "new host" not in text


def test_a_faulty_host_file_ends_with_its_reason_and_no_traceback(terminal: Terminal) -> None:
    terminal.stand.host.files[MC] = b"define(`open\n"
    result = terminal.type("harden", "recipients", *HOST, "--yes")
    assert result.exit_code == 1
    assert "quote is never closed" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_host_of_a_plan_has_a_journal_of_its_own(terminal: Terminal) -> None:
    plan = terminal.folder / "plan.toml"
    plan.write_text(PLAN)
    assert terminal.type("harden", "recipients", "--plan", str(plan), "--on", "new", "--yes").exit_code == 0
    assert terminal.plans[-1].name == "toolbox-example-mail-new"
    assert terminal.plans[-1].domains == ("example.test",)


def test_while_a_migration_runs_its_hosts_are_left_alone(terminal: Terminal) -> None:
    plan = terminal.folder / "plan.toml"
    plan.write_text(PLAN)
    with Lock(terminal.folder / "state" / "example-mail"):
        result = terminal.type("harden", "recipients", "--plan", str(plan), "--on", "new", "--yes")
    assert result.exit_code == 4
    assert "confMAX_RCPTS" not in terminal.stand.text(MC)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--host", "root@198.51.100.20", "--plan", "x.toml"),
        ("--host", "-oProxyCommand=id"),
        ("--host", "a b"),
        ("--plan", "x.toml", "--on", "third"),
    ],
)
def test_what_names_no_one_host_is_refused(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert terminal.type("harden", *words).exit_code == 2


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_password_that_others_can_read_is_refused(terminal: Terminal, mode: int) -> None:
    file = terminal.folder / "password"
    file.write_text("secret\n")
    file.chmod(mode)
    result = terminal.type("smarthost", "smtp.a.test", "--user", "u", "--password-file", str(file), *HOST)
    assert result.exit_code == 2
    assert "chmod 600" in result.stderr


def test_a_faulty_table_is_told_line_by_line(terminal: Terminal) -> None:
    table = terminal.folder / "users.csv"
    table.write_text("a,b,c\nuser01,nobody\n")
    result = terminal.type("rewrite", "--domain", "a.test", "--table", str(table), *HOST)
    assert result.exit_code == 2
    assert "line 1" in result.stderr
    assert "line 2" in result.stderr


def test_items_and_all_are_not_given_together(terminal: Terminal) -> None:
    assert terminal.type("harden", "helo", "--all", *HOST).exit_code == 2


def test_the_words_of_a_host_are_its_own() -> None:
    chosen = targets.target(Common(host="root@198.51.100.20:2222"))
    assert chosen.plan.name == "toolbox-198.51.100.20-2222"
    assert chosen.address == "198.51.100.20"
    assert (
        chosen.words("a file of the new host, not of the old host")
        == "a file of 198.51.100.20, not of the old host"
    )
    with pytest.raises(UsageError):
        targets.target(Common())


def test_the_end_of_the_input_is_a_no(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "sys", AtTerminal())
    result = terminal.type("harden", "recipients", *HOST)
    assert (result.exit_code, "not answered with yes" in result.stderr) == (3, True), result.stderr
    assert "confMAX_RCPTS" not in terminal.stand.text(MC)


def test_an_undo_is_not_done_where_another_process_went_on_since_it_was_shown(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(terminal.stand.host.files)
    terminal.type("harden", "recipients", *HOST, "--yes")

    class Late(Lock):
        def __enter__(self) -> Self:
            monkeypatch.setattr(driving, "Lock", Lock)
            assert terminal.type("undo", *HOST, "--yes").exit_code == 0
            return super().__enter__()

    monkeypatch.setattr(driving, "Lock", Late)
    result = terminal.type("undo", *HOST, "--yes")
    assert (result.exit_code, "meanwhile" in result.stderr) == (3, True), result.stderr
    assert terminal.stand.host.files == before
