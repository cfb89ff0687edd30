"""The commands that look at a host, as their user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import migrator.cli.toolbox.archives
import migrator.cli.toolbox.diagnosing
import migrator.cli.toolbox.looking  # noqa: F401 - before the fixture takes the place of the wiring
from migrator.cli.program import app
from migrator.toolbox import archive
from tests.cli.conftest import Desk
from tests.sendmail import queue_files
from tests.toolbox.stand import PROC_NET, Stand, control, dump, waiting
from tests.toolbox.test_archive import packed

DEAD = "Deferred: Connection refused by mx.else.example."


class Host(Stand):
    """The new host of the desk's plan."""

    def __init__(self, desk: Desk) -> None:
        self.world = desk.world
        self.desk = desk

    def type(self, *words: str) -> Result:
        where = ("--plan", str(self.desk.plan), "--on", "new")
        result = CliRunner().invoke(app, [*words, *where])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def data(self, *words: str) -> dict[str, Any]:
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.output
        (line,) = result.stdout.splitlines()
        found = json.loads(line)["data"]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def host(desk: Desk) -> Host:
    found = Host(desk)
    waiting(
        found,
        dump(
            "/var/spool/mqueue",
            AA0001=control("a@else.example", "b@else.example", reason=DEAD, tries=2),
            AA0002=control("a@else.example", sender=""),
        ),
        dump("/var/spool/mqueue-client", BB0001=control("root")),
        sockets=PROC_NET,
    )
    return found


def test_top_counts_both_queues_and_explains_the_client_queue(host: Host) -> None:
    shown = host.type("queue", "top").stdout
    assert "MTA queue: 2 queued" in shown
    assert "      2  2026-11-30 00:53  a@else.example" in shown
    assert "no daemon listens on port 25 of 127.0.0.1" in shown
    found = host.data("queue", "top", "--by", "reason", "--most", "1")
    assert [(one["name"], one["messages"]) for one in found["top"]] == [("(not tried yet)", 2)]
    assert (found["mta"], found["client"]) == (2, 1)


def test_top_knows_four_sides_and_no_other(host: Host) -> None:
    refused = host.type("queue", "top", "--by", "colour")
    assert refused.exit_code == 2
    assert "recipient, sender, domain, reason" in refused.output


def test_list_names_each_message_with_its_reason(host: Host) -> None:
    shown = host.type("queue", "list").stdout
    assert (
        f"AA0001 mta 2026-11-30 00:53 2 tries s@example.test -> a@else.example, b@else.example: {DEAD}"
        in shown
    )
    assert "AA0002 mta 2026-11-30 00:53 0 tries <> -> a@else.example: (not tried yet)" in shown
    only = host.data("queue", "list", "--recipient", "b@Else.Example")
    assert [one["id"] for one in only["messages"]] == ["AA0001"]
    assert host.type("queue", "list", "--recipient", "x", "--domain", "y").exit_code == 2


def test_show_tells_all_of_one_message_and_harms_no_terminal(host: Host) -> None:
    host.host.on("print0", "/var/spool/mqueue/qfAA0001\0")
    host.host.on("stat -c %s", "9\n")
    host.host.files["/var/spool/mqueue/qfAA0001"] = queue_files.VERSION_8.replace(
        "H??", "H??X: \x1b[2J\nH??", 1
    ).encode()
    shown = host.type("queue", "show", "AA0001").stdout
    assert f"to b@else.example: {DEAD}" in shown
    assert "file /var/spool/mqueue/qfAA0001: 9 bytes" in shown
    assert "\x1b" not in shown
    assert host.type("queue", "show", "ZZ9999").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("queue", "show", "no such"),
        ("sendmail", "forward", "../root", "--to", "a@else.example"),
        ("sendmail", "forward", "user01", "--to", "|/bin/sh"),
        ("sendmail", "diagnose", "--deliver", "a;id"),
        ("queue", "flush", "--all", "--domain", "else.example"),
    ],
)
def test_what_cannot_be_ends_with_2_before_the_host_is_contacted(host: Host, words: tuple[str, ...]) -> None:
    host.host.lost = True
    assert host.type(*words).exit_code == 2


def test_flush_ends_with_75_where_something_stays(host: Host) -> None:
    flushed = host.type("queue", "flush", "--all", "--yes")
    assert flushed.exit_code == 75
    assert f"stayed AA0001  for a@else.example, b@else.example: {DEAD}" in flushed.stdout
    assert len(host.host.performed) == 2
    assert "undo" not in flushed.stdout


def test_flush_shows_and_asks_before_it_does_anything(host: Host) -> None:
    assert host.type("queue", "flush", "--all", "--dry-run").exit_code == 0
    assert host.type("queue", "flush", "--all").exit_code == 3
    assert host.type("queue", "flush").exit_code == 2
    assert host.host.performed == []


def test_a_backup_is_fetched_for_its_owner_alone_and_never_over_a_file(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = packed({"etc/mail/sendmail.mc": b"dnl\n"})
    monkeypatch.setattr(archive, "newest", lambda reader, folder=archive.FOLDER: f"{folder}/x.tar")
    monkeypatch.setattr(archive, "fetched", lambda reader, path: data)
    host.host.on("sha256sum -- ", f"{archive.digest(archive.read(data)[0])}  etc/mail/sendmail.mc\n")
    here = tmp_path / "fetched.tar"
    assert host.type("sendmail", "backup", "--fetch", str(here)).exit_code == 0
    assert here.read_bytes() == data
    assert here.stat().st_mode & 0o077 == 0
    assert host.type("sendmail", "backup", "--fetch", str(here)).exit_code == 2
    assert host.type("sendmail", "restore", "--file", str(here), "--from", "/x.tar").exit_code == 2
    assert host.type("sendmail", "restore", "--file", str(tmp_path / "missing")).exit_code == 2
    assert host.type("sendmail", "restore", "--from", "relative").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("queue", "top"),
        ("queue", "list"),
        ("queue", "show"),
        ("queue", "flush"),
        ("sendmail", "forward"),
        ("sendmail", "backup"),
        ("sendmail", "restore"),
        ("sendmail", "diagnose"),
    ],
)
def test_every_command_has_a_help_with_an_example(words: tuple[str, str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert f"migrate {' '.join(words)}" in shown.output
    assert "--host" in shown.output
