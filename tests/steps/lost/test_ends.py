"""A mailbox that was copied in the middle of a message is ended, so that the next message is one of its own."""

from __future__ import annotations

import mailbox
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from migrator.steps.lost.ends import ends_script

WHOLE = b"From a@b.test Mon Nov 30 12:00:00 2026\nSubject: one\n\nbody\n\n"
NEXT = b"From c@d.test Mon Nov 30 12:01:00 2026\nSubject: next\n\nbody\n\n"


def run(folder: Path) -> None:
    subprocess.run(["sh", "-c", ends_script(str(folder))], check=True, timeout=60)


@pytest.mark.parametrize(
    "torn", [b"", b"From c@", b"From x@y.test Mon Nov 30\nSubj", b"From x\nA: b\n\nhalf\n"]
)
def test_what_comes_next_is_a_message_of_its_own(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "a" / "it's me"
    path.parent.mkdir()
    path.write_bytes(WHOLE + torn)
    run(tmp_path)
    once = path.read_bytes()
    run(tmp_path)
    assert path.read_bytes() == once
    assert once.startswith(WHOLE + torn)
    path.write_bytes(once + NEXT)
    with closing(mailbox.mbox(path)) as box:
        assert [message["Subject"] for message in box][-1] == "next"
    assert [one.name for one in path.parent.iterdir()] == ["it's me"]


def test_what_is_no_mbox_stays_as_it_is(tmp_path: Path) -> None:
    box = tmp_path / "Maildir" / "cur"
    box.mkdir(parents=True)
    (box / "1.host:2,S").write_bytes(b"From me to you, no empty line")
    (tmp_path / "notes").write_bytes(b"Form")
    (tmp_path / "whole").write_bytes(WHOLE)
    (tmp_path.parent / "outside").write_bytes(b"From outside")
    (tmp_path / "link").symlink_to(tmp_path.parent / "outside")
    run(tmp_path)
    assert (box / "1.host:2,S").read_bytes() == b"From me to you, no empty line"
    assert (tmp_path / "whole").read_bytes() == WHOLE
    assert (tmp_path.parent / "outside").read_bytes() == b"From outside"


@pytest.mark.parametrize(
    "text", [b"From me to you\n\nlove", b"From: a@b.test\n\nhalf", b"From now on 5 of us:\n12:30 lunch"]
)
def test_a_letter_that_begins_as_an_mbox_does_stays_as_it_is(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "letter").write_bytes(text)
    run(tmp_path)
    assert (tmp_path / "letter").read_bytes() == text


def test_an_mbox_that_begins_with_an_empty_line_is_ended(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"\n" + WHOLE + b"From c@")
    run(tmp_path)
    assert (tmp_path / "box").read_bytes() == b"\n" + WHOLE + b"From c@\n\n"


def test_what_comes_behind_half_a_first_line_is_still_a_message(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(b"From c@")
    run(tmp_path)
    path.write_bytes(path.read_bytes() + NEXT)
    with closing(mailbox.mbox(path)) as box:
        assert [message["Subject"] for message in box] == ["next"]


def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    run(tmp_path / "nothing")


def test_a_lock_that_is_a_link_to_a_pipe_is_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sleep").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    box = tmp_path / "boxes" / "user01"
    box.parent.mkdir()
    box.write_bytes(WHOLE + b"From c@")
    os.mkfifo(tmp_path / "pipe")
    (box.parent / "user01.lock").symlink_to(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(subprocess.CalledProcessError):
            run(box.parent)
    finally:
        os.close(reading)
    assert box.read_bytes() == WHOLE + b"From c@"
    assert (box.parent / "user01.lock").is_symlink()
