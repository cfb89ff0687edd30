"""No text of a host reaches the operator's terminal raw, or breaks a line of JSON, wherever it stands in an event."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from migrator.cli.outcome import Call, _as_json, _block, outcome, unexpected
from migrator.errors import HostError
from migrator.event import Event, Kind
from migrator.report import findings
from migrator.report.json_lines import JsonLines
from migrator.report.status import status_table
from migrator.report.terminal import Terminal
from tests.fakes import NOON

HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=80),
    st.lists(
        st.sampled_from(
            [
                "\x1b[2J",
                "\x1b]0;x\x07",
                "\x9b31m",
                "\r",
                "\b",
                "\n",
                "[red]",
                "\u202e",
                "\u061c",
                "\udc9b",
                "x",
            ]
        )
    ).map("".join),
)


def told(text: str) -> list[Event]:
    data: dict[str, Any] = {"summary": text, "to": text, "expected": text, "seen": text, "advice": text}
    return [
        Event(kind, NOON, text, text, text, {**data, "phase": text, "goes_on": True, "until": None})
        for kind in Kind
    ]


@given(TEXTS)
def test_a_terminal_gets_no_harmful_character(text: str) -> None:
    stream = io.StringIO()
    terminal = Terminal(Console(file=stream, width=80, highlight=False))
    for event in told(text):
        terminal.show(event)
    terminal.close()
    assert not HARMFUL.search(stream.getvalue())
    stream.getvalue().encode()


@given(TEXTS)
def test_json_is_one_line_of_plain_characters_and_gives_the_text_back(text: str) -> None:
    stream = io.StringIO()
    for event in told(text):
        JsonLines(stream).show(event)
    lines = stream.getvalue().split("\n")[:-1]
    assert len(lines) == len(Kind)
    assert not re.search(r"[^ -~]", "".join(lines))
    assert all(json.loads(line)["text"] == text for line in lines)


@given(TEXTS)
def test_the_block_of_a_failure_is_harmless(text: str) -> None:
    error = HostError(text, host="old", expected=text, seen=text, advice=text)
    call = Call("run", Path("plan.toml"), step=text)
    assert not HARMFUL.search(_block(error, call))
    assert not re.search(r"[^ -~]", json.dumps(_as_json(error, call)))


@given(TEXTS)
def test_tables_are_harmless(text: str) -> None:
    found = {"name": text, "level": "fail", "host": text, "text": text, "advice": text}
    step = {"phase": text, "name": text, "state": "failed", "started": None, "seconds": 1.0, "until": None}
    stream = io.StringIO()
    console = Console(file=stream, width=200, highlight=False)
    console.print(findings._table([found]))
    console.print(status_table([{**step, "text": text}]))
    assert not HARMFUL.search(stream.getvalue())


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_the_program_itself_is_told_harmlessly(
    capsys: pytest.CaptureFixture[str], debug: bool
) -> None:
    assert unexpected(RuntimeError("\x1b[2J\u202e\udc9b"), debug=debug) == 1
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert not HARMFUL.search(said)


def test_a_traceback_that_was_asked_for_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), outcome(Call("run", Path("plan.toml"), debug=True)):
        raise HostError("lost", seen="\x1b[2J") from ValueError("\x1b]0;title\x07")
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert not HARMFUL.search(said)
