"""The log is read where the host keeps it: in a file of syslog, else in the journal."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from migrator.hosts.base import Output
from migrator.toolbox import maillog
from tests.fakes import FakeHost

LINES = """\
Nov 29 12:00:01 mail sm-mta[3]: AA0001: to=<a@x.example>, stat=Sent
Nov 29 12:00:02 mail sm-mta[3]: AA00012: to=<a@x.example>, stat=Sent
Nov 29 12:00:03 mail other[3]: AA0001: hello
Nov 29 12:00:04 mail sm-mta[3]: AA0002: to=<$(id)@x.example>, stat=Deferred
"""


def host(folder: Path, *, journal: str = "") -> FakeHost:
    """Return a host whose inspecting scripts run here, with its log in a folder and a journal of its own."""
    found = FakeHost("new")
    programs = folder / "bin"
    programs.mkdir()
    if journal:
        (programs / "journalctl").write_text(f"#!/bin/sh\ncat <<'END'\n{journal}END\n")
        (programs / "journalctl").chmod(0o755)
    shell = shutil.which("sh")
    assert shell

    def run(_host: object, script: str) -> Output:
        for path in maillog.FILES:
            script = script.replace(path, str(folder / path.rpartition("/")[2]))
        environment = {"PATH": f"{programs}:/usr/bin:/bin"}
        done = subprocess.run(
            [shell, "-c", script], capture_output=True, text=True, env=environment, timeout=20
        )
        return Output(done.returncode, done.stdout, done.stderr)

    found.on("", run)
    return found


@pytest.mark.parametrize("name", ["mail.log", "maillog"])
def test_a_file_of_either_family_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LINES)
    here = host(tmp_path, journal="Nov 30 12:00:01 mail sm-mta[3]: ZZ0001: to=<a@x.example>, stat=Sent\n")
    assert [line.id for line in maillog.last(here)] == ["AA0001", "AA00012", "AA0002"]
    assert [line.id for line in maillog.last(here, 1)] == ["AA0002"]


def test_lines_about_a_message_are_those_with_just_its_number(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_text(LINES)
    here = host(tmp_path)
    assert [line.id for line in maillog.about(here, ["AA0001", "AA0002"])] == ["AA0001", "AA0002"]
    assert maillog.about(here, []) == ()
    assert maillog.about(here, ["'; exit 1; '"]) == ()


def test_without_a_file_the_journal_is_asked(tmp_path: Path) -> None:
    assert [line.id for line in maillog.last(host(tmp_path, journal=LINES))] == [
        "AA0001",
        "AA00012",
        "AA0002",
    ]


def test_a_host_without_either_has_no_lines(tmp_path: Path) -> None:
    assert maillog.last(host(tmp_path)) == ()
