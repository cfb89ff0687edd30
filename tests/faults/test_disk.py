"""File systems that are full: of the new host, of the old one, of both hosts' /tmp, and of the operator."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.faults import disk
from tests.faults.mail_host import calm, configuration, expect_words, listener, refused
from tests.faults.outcome import Outcome
from tests.lab.driver import running, start_of, succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene
from tests.lab.test_killed import expect_mail_at_old
from tests.lab.world import expect_moved

ROOM = ("make room", "df -h and df -i")


@pytest.fixture
def mounting_lab() -> Iterator[Lab]:
    """Yield a fresh lab on whose hosts a test can mount file systems."""
    with Lab(mounting=True) as running_lab:
        yield running_lab


@pytest.mark.fault("the new host is out of disk or out of inodes during a copy")
@pytest.mark.parametrize("kind", ["disk", "inodes"])
def test_the_new_host_is_full(mounting_lab: Lab, outcome: Outcome, kind: str) -> None:
    lab = mounting_lab

    def fill(left: int) -> None:
        if kind == "disk":
            disk.leave(lab, "new", "/var", kilobytes=4 * left)
        else:
            disk.leave(lab, "new", "/var", inodes=left)

    disk.put_var_on_its_own(lab, "new")
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "install-key")
        fill(40)
        expect_words(
            refused(lab, 1), "presync", "new host", "rsync of /var/", "No space left on device", *ROOM
        )
        outcome.hit(
            f"presync, out of {kind}: exit 1 names host, tree and cure; with room again the run goes on"
        )
        disk.make_room(lab, "new", "/var")
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        with running(lab) as run:
            run.wait_for(start_of("close-new"))
            fill(0)
            assert run.end() == 1
        expect_words(str(run.seen[-1]), "'host': 'new'", "No space left on device", *ROOM)
        outcome.hit(f"cutover, out of {kind}: exit 1 as well; the old host keeps what comes in")
        disk.make_room(lab, "new", "/var")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("/var of the old host, with queue, mailboxes and logs, is full during the cutover")
def test_the_old_host_is_full(mounting_lab: Lab, outcome: Outcome) -> None:
    lab = mounting_lab
    disk.put_var_on_its_own(lab, "old")
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        disk.fill_up(lab, "old", "/var")
        wait_until_put_off(stage)
        expect_words(refused(lab, 1), "host", "expected", "seen", "to do", *ROOM)
        outcome.hit("senders are told to come again (4xx); exit 1, and with room again the run goes on")
        disk.make_room(lab, "old", "/var")
        # Sendmail remembers for a while how little room there was.
        expect_mail_at_old(lab, stage, since=time.time(), seconds=90.0)
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


def wait_until_put_off(stage: Scene, seconds: float = 60.0) -> None:
    """Wait until a sender was told to come again (4xx). Raise AssertionError where none is in time."""
    deadline = time.monotonic() + seconds
    while not any(re.match("4[0-9][0-9] ", message.last_trouble) for message in stage.traffic.messages):
        troubles = {message.last_trouble for message in stage.traffic.messages}
        assert time.monotonic() < deadline, troubles
        time.sleep(0.2)


@pytest.mark.fault("/tmp of a host is full or out of inodes")
def test_the_folder_for_scripts_is_full(mounting_lab: Lab, outcome: Outcome) -> None:
    lab = mounting_lab
    with calm(lab) as stage:
        # The first that needs room there is the look whether a rebuild would lose anything.
        for role, until, options in (("new", "presync", "size=96k"), ("old", "relay", "size=1m,nr_inodes=1")):
            disk.put_on_its_own(lab, role, "/tmp", options)
            before = listener(lab, role), configuration(lab, role)
            told = refused(lab, 1, "--until", until)
            expect_words(told, f"{role} host", "no space left on device", "/tmp", "df -i")
            assert (listener(lab, role), configuration(lab, role)) == before
            outcome.hit(f"{role} host: exit 1 before anything is done there, and it names the folder")
            lab.shell(role, "umount -l /tmp")
            succeed(lab, "run", "--yes", "--wait", "--until", until)
            stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


GROWTH = 96
"""By how much the operator's file system grows between two runs, in units of 1024 bytes."""


@pytest.mark.fault("the folder of the operator's state is full")
def test_the_state_is_full(lab: Lab, outcome: Outcome) -> None:
    size = 12
    with disk.small_folder(lab.folder / ".migrate", size):
        untouched = configuration(lab, "old")
        with calm(lab) as stage:
            while (done := lab.migrate("run", "--yes", "--wait", seconds=600)).returncode != 0:
                if size > GROWTH:
                    stage.readers.stop()
                assert done.returncode == 1, done.stderr
                words = ("The journal", "No space left on device", "nothing was done after its last line")
                expect_words(" ".join(done.stderr.split()), *words)
                events = journal(lab)
                if not any(
                    event["step"] == "relay" and event["kind"] == "change_planned" for event in events
                ):
                    assert configuration(lab, "old") == untouched
                outcome.hit(
                    "exit 1 before the next deed, the journal is whole, and with room the run goes on"
                )
                size += GROWTH
                assert size < 64 * GROWTH
                disk.resize(lab.folder / ".migrate", size)
            outcome.settle(stage)
        assert outcome.tried > 2
    expect_moved(lab)


def journal(lab: Lab) -> list[dict[str, object]]:
    """Return all lines of the journal. Raise AssertionError where one is not whole, or missing."""
    path = lab.state_path / "journal.jsonl"
    text = path.read_text() if path.exists() else ""
    assert not text or text.endswith("\n")
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    return events
