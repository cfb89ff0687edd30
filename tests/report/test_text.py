"""Text from a host cannot harm a terminal, and times read as a person says them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.report.failure import failure_block
from migrator.report.text import clean, clean_lines, duration


@given(text=st.text(st.characters(exclude_categories=[])))
def test_what_is_shown_can_always_be_printed_on_one_line(text: str) -> None:
    shown = clean(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user\tname\r\n", "user\\tname\\r\\n"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"bo\xeete".decode("utf-8", "surrogateescape"), "bo\\xeete"),
        ("left\u202eright", "left\\u202eright"),
        ("Grüße [bold]", "Grüße [bold]"),
    ],
)
def test_harmful_characters_are_shown_as_what_they_are(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_lines_of_a_script_stay_lines() -> None:
    assert clean_lines("if a\n\tb\x1b\nfi") == ["if a", "        b\\x1b", "fi"]
    assert clean_lines("") == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (59.97, "1 min 00 s"),
        (125, "2 min 05 s"),
        (7380, "2 h 03 min"),
        (172_800, "2 d 00 h"),
    ],
)
def test_durations_read_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_failure_block_leaves_out_what_is_not_known() -> None:
    block = failure_block("make failed", [("host", "old host"), ("seen", None), ("to do", "one\ntwo")])
    assert block == "make failed\n  host   old host\n  to do  one\n         two"
