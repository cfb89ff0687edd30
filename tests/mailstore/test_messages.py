"""The marks of messages tell mailboxes apart as their texts do, and never where their texts do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.script import inspecting
from migrator.mailstore.messages import Marks, marks_script, parse_marks
from tests.hosts.shell import SHELLS, each_shell, run
from tests.mailstore.mailboxes import message


def marks(folder: Path, *paths: str, shell: str = SHELLS[0], growing: bool = False) -> list[Marks]:
    output = run(shell, inspecting(marks_script(str(folder), paths, growing=growing)))
    assert (output.returncode, output.stderr) == (0, "")
    found = parse_marks(output.stdout)
    return [found[number] for number in range(len(paths))]


def of(folder: Path, content: bytes, **how: bool) -> Marks:
    (folder / "box").write_bytes(content)
    return marks(folder, "box", **how)[0]  # type: ignore[arg-type]


@each_shell
def test_each_mailbox_has_its_own_and_one_that_is_missing_none(tmp_path: Path, shell: str) -> None:
    (tmp_path / "it's -n").write_bytes(message(1) + message(2) + message(2))
    (tmp_path / "b").write_bytes(message(2))
    first, second, third = marks(tmp_path, "it's -n", "b", "missing", shell=shell)
    assert sorted(first.values()) == [1, 2]
    assert second <= first
    assert not third


@pytest.mark.parametrize(
    "other",
    [
        message(1, "Status: RO"),
        message(1, "X-Keywords: a\n\tb", "X-UID: 7"),
        message(1, end="\n"),
        message(1, end="\n\n\n\n"),
    ],
)
def test_equal_texts_have_equal_marks(tmp_path: Path, other: bytes) -> None:
    assert of(tmp_path, message(1)) == of(tmp_path, other)


@pytest.mark.parametrize(
    "other",
    [message(2), message(1, body="Message 1!"), message(1, "Subject: x"), message(1, body="message\n1")],
)
def test_other_texts_have_other_marks(tmp_path: Path, other: bytes) -> None:
    assert of(tmp_path, message(1)) != of(tmp_path, other)


def test_the_note_that_an_imap_server_keeps_first_is_no_message(tmp_path: Path) -> None:
    subject = "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
    note = message(0, subject, "X-IMAPbase: 1234 5")
    assert of(tmp_path, note + message(1)) == of(tmp_path, message(1))


def test_long_lines_and_bytes_of_every_kind_are_read(tmp_path: Path) -> None:
    odd = message(1, body="x" * 400_000 + "\0\x01\r\n\udcff") + message(2)
    assert of(tmp_path, odd).total() == 2


@pytest.mark.parametrize("begun", [b"F", b"Fr", b"Fro", b"From"])
def test_a_message_before_one_that_is_being_delivered_has_its_mark(tmp_path: Path, begun: bytes) -> None:
    whole = of(tmp_path, message(1) + message(2))
    assert of(tmp_path, message(1) + message(2) + begun, growing=True) > whole
    assert not of(tmp_path, message(1) + message(2) + begun) >= whole


@pytest.mark.parametrize(
    "end", [b"", b"F\n", b"For", b"F\n\n" + message(3), b"From sender@example.net", b"x\nF", b"\0F"]
)
def test_what_is_no_beginning_of_a_message_makes_no_other_mark(tmp_path: Path, end: bytes) -> None:
    content = message(1) + message(2) + end
    assert of(tmp_path, content, growing=True) == of(tmp_path, content)


def test_a_mailbox_that_is_begun_has_no_mark(tmp_path: Path) -> None:
    assert not of(tmp_path, b"F", growing=True)


def test_what_has_no_end_is_not_believed() -> None:
    with pytest.raises(ValueError, match="do not end"):
        parse_marks("mailbox 0\n1 2 3 From a \n")


@given(st.text())
def test_what_is_printed_is_read_or_refused(text: str) -> None:
    try:
        found = parse_marks(text)
    except ValueError:
        return
    assert all(number >= 0 for number in found)
