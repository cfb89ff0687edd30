"""A file of the operator's machine that a plan names and that is not there is a fault of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.errors import Fault, PlanError
from migrator.plan import load
from migrator.plan.files import absent
from tests.plan.plans import read, vary, write

EVERY = """identity_file = "keys/id"
known_hosts = "keys/hosts"
[new.sendmail.smarthost]
server = "smtp.example.net"
user = "shop"
password_file = "shop.password"
[new.sendmail.rewrite]
table = "senders.csv"
[dns]
update = "command"
command = ["./move", "now"]
[dns.rfc2136]
server = "198.51.100.53"
key_name = "lab."
key_file = "tsig.key"
"""
KEYS = {
    "new.identity_file": "keys/id",
    "new.known_hosts": "keys/hosts",
    "new.sendmail.smarthost.password_file": "shop.password",
    "new.sendmail.rewrite.table": "senders.csv",
    "dns.command": "move",
    "dns.rfc2136.key_file": "tsig.key",
}


def faults(folder: Path, text: str) -> tuple[Fault, ...]:
    try:
        load(write(folder, text), files=True)
    except PlanError as error:
        assert error.exit_code == 2
        return error.faults
    return ()


def make(folder: Path) -> None:
    for name in KEYS.values():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "move").chmod(0o700)


def test_each_is_told_with_its_key_and_line(tmp_path: Path) -> None:
    text = vary(add=EVERY)
    lines = text.splitlines()
    found = faults(tmp_path, text)
    assert {fault.key: fault.reason for fault in found} == {
        key: f"{tmp_path / name} is not there" for key, name in KEYS.items()
    }
    for fault in found:
        assert fault.line is not None
        assert lines[fault.line - 1].startswith(fault.key.rpartition(".")[2])


def test_where_they_are_there_is_none(tmp_path: Path) -> None:
    make(tmp_path)
    assert faults(tmp_path, vary(add=EVERY)) == ()


def test_a_default_that_is_not_there_is_no_fault_and_one_that_is_written_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    assert faults(tmp_path, vary()) == ()
    (fault,) = faults(tmp_path, vary(add='known_hosts = "~/.ssh/known_hosts"\n'))
    assert fault.key == "new.known_hosts"


@pytest.mark.parametrize(("name", "words"), [("keys/id", "is no file"), ("move", "is not executable")])
def test_what_is_there_and_of_no_use_is_told(tmp_path: Path, name: str, words: str) -> None:
    make(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir() if "file" in words else (tmp_path / name).write_text("x")
    (fault,) = faults(tmp_path, vary(add=EVERY))
    assert words in fault.reason


def test_a_plan_that_is_only_read_for_its_name_needs_none(tmp_path: Path) -> None:
    assert read(tmp_path, add=EVERY).name == "example-mail"


def test_every_key_of_a_file_is_looked_at(tmp_path: Path) -> None:
    """Whoever gives a plan another file has it looked for without a word."""
    plan = read(tmp_path, add=EVERY)
    files = {key for key, text in plan.flatten().items() if key.endswith(("_file", ".table")) and text}
    assert files <= set(absent(plan))
