"""What sudo has to allow is said exactly, and what it refuses is known for what it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import migrator
from migrator.hosts.sudoers import COMMANDS, fragment, refusal
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import SyncTree


def test_the_rule_names_the_user_and_every_command() -> None:
    lines = fragment("admin", migration="example-mail", place="the old host").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "Defaults:admin !requiretty",
        "admin ALL=(root) NOPASSWD: /bin/sh -s, /bin/sh -c *",
    ]
    assert "/etc/sudoers.d/migrate-example-mail" in lines[0]


def test_no_other_command_is_run_by_sudo() -> None:
    package = Path(migrator.__file__).parent
    runs = {
        (path.name, found)
        for path in package.rglob("*.py")
        for found in re.findall(r"['\" ](sudo -n .{12})", path.read_text())
        if not path.name.startswith(("program", "sudoers"))
    }
    assert {name for name, _ in runs} == {"ssh.py", "wrapper.py"}
    assert "exec sudo -n sh -c " in wrapper_script("unit", [SyncTree("/a/", "/b/")], sudo=True)
    assert {command.split()[1] for command in COMMANDS} == {"-s", "-c"}


@pytest.mark.parametrize("user", ["", "ALL", "ADMINS", "%wheel", "#0", "a b", "a,b", "a\nb ALL", "a=b", "-x"])
def test_a_user_that_would_mean_something_else_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="no plain name"):
        fragment(user, migration="example-mail", place="the old host")


@pytest.mark.parametrize("user", ["admin", "a.b-c_d", "Admin", "2fast"])
def test_visudo_takes_the_file(user: str, tmp_path: Path) -> None:
    visudo = shutil.which("visudo", path="/usr/sbin:/usr/bin:/sbin:/bin")
    file = tmp_path / "migrate"
    file.write_text(fragment(user, migration="example-mail", place="the old host"))
    file.chmod(0o440)
    if visudo:  # the lab tests it on a host that has it
        subprocess.run([visudo, "-cf", str(file)], check=True, capture_output=True)
    assert file.read_text().endswith("\n")


@pytest.mark.parametrize(
    ("status", "said", "seen"),
    [
        (1, "sudo: a password is required\n", "sudo: a password is required"),
        (
            1,
            "\nsudo: sorry, you must have a tty to run sudo\n",
            "sudo: sorry, you must have a tty to run sudo",
        ),
        (
            1,
            "Sorry, user admin is not allowed to execute '/bin/sh -s' as root on mail.\n",
            "Sorry, user admin is not allowed to execute '/bin/sh -s' as root on mail.",
        ),
        (1, "admin is not in the sudoers file.\n", "admin is not in the sudoers file."),
        (127, "bash: sudo: command not found\n", "bash: sudo: command not found"),
        (127, "sh: 1: sudo: not found\n", "sh: 1: sudo: not found"),
        (2, "sudo: a password is required\n", ""),
        (1, "grep: no sudo here\n", ""),
        (1, "", ""),
    ],
)
def test_a_refusal_of_sudo_is_told_from_a_command_that_failed(status: int, said: str, seen: str) -> None:
    assert refusal(status, said) == seen


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (1, "sudo-rs: interactive authentication is required"),
        (1, "sudo-rs: I'm sorry mover. I'm afraid I can't do that"),
        (1, "Leider darf der Benutzer mover »/bin/sh -s« als root auf old nicht ausführen."),
        (
            1,
            "Désolé, l'utilisateur mover n'est pas autorisé à exécuter « /usr/bin/sh -c : » en tant que root.",
        ),
        (1, "sudo: Ein Passwort ist notwendig"),
        (1, "mover ist nicht in der sudoers-Datei. Dieser Vorfall wird gemeldet."),
        (1, "sudo: Command not found."),
        (1, "/usr/local/bin/sudo: Für mover ist kein Terminal vorhanden"),
        (127, "zsh:1: command not found: sudo"),
        (127, "fish: Unknown command: sudo"),
        (127, "ksh[1]: sudo: not found [No such file or directory]"),
        (127, "bash: Zeile 1: sudo: Kommando nicht gefunden."),
        (127, "-sh: sudo: not found"),
        (126, "bash: /usr/bin/sudo: Permission denied"),
    ],
)
def test_a_refusal_is_known_in_any_language_shell_and_implementation(status: int, line: str) -> None:
    assert refusal(status, line) == line
    assert refusal(status, f"{line}\n") == line


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (0, "sudo: unable to resolve host old"),
        (1, "cat: /etc/mail/x: No such file or directory"),
        (1, "sh: 1: makemap: not found"),
        (1, "/etc/init.d/sh -stop: failed"),
        (127, "sh: 12: makemap: not found"),
        (127, "sh: 12: sudoku: not found"),
        (2, "sudo: a password is required"),
    ],
)
def test_a_command_that_failed_is_no_refusal(status: int, line: str) -> None:
    assert refusal(status, line) == ""
