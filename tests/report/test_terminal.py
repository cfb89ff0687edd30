"""A person sees phases, steps, changes and what is under way; a log gets one plain line an event."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

from rich.console import Console

from migrator.event import Event, Kind
from migrator.report.terminal import Terminal
from tests.fakes import NOON, FakeClock


def event(kind: Kind, step: str | None = None, text: str = "", host: str | None = None, **data: Any) -> Event:
    return Event(kind, NOON, step, host, text, data)


RUN = [
    event(Kind.RUN_STARTED, text="example-mail"),
    event(Kind.STEP_STARTED, "survey", "Look at both hosts.", phase="prepare"),
    event(Kind.STEP_DONE, "survey", "done"),
    event(Kind.STEP_STARTED, "relay", "Relay by mailertable.", phase="cutover"),
    event(Kind.CHANGE_PLANNED, "relay", "write [b]mailertable[/b]", "old"),
    event(Kind.CHANGE_DONE, "relay", "write [b]mailertable[/b]", "old"),
    event(Kind.STEP_FAILED, "relay", "not loaded", "old", expected="a new process", goes_on=True),
]


def shown(events: list[Event], **options: Any) -> str:
    stream = io.StringIO()
    clock = FakeClock()
    terminal = Terminal(
        Console(file=stream, width=80, highlight=False, **options), clock=lambda: clock.time.timestamp()
    )
    for one in events:
        terminal.show(one)
        clock.sleep(2)
    terminal.close()
    return stream.getvalue()


def test_a_log_gets_plain_lines_without_a_control_character() -> None:
    assert shown(RUN).splitlines() == [
        "migrating example-mail",
        "prepare",
        "  ▸ survey: Look at both hosts.",
        "  ✓ survey: done  (2.0 s)",
        "cutover",
        "  ▸ relay: Relay by mailertable.",
        "    ✓ write [b]mailertable[/b]  (2.0 s)",
        "  ✗ relay [old host]: not loaded",
        "      expected: a new process",
    ]


def test_a_long_line_is_not_broken() -> None:
    summary = "x" * 300
    assert f"    ✓ {summary}\n" in shown([event(Kind.CHANGE_DONE, "relay", summary)])


def test_a_terminal_shows_what_is_under_way_with_its_seconds() -> None:
    stream = io.StringIO()
    clock = FakeClock()
    console = Console(file=stream, width=80, force_terminal=True)
    terminal = Terminal(console, clock=lambda: clock.time.timestamp())
    terminal.show(event(Kind.CHANGE_PLANNED, "presync", "copy [/var/spool/mail/]"))
    terminal.show(event(Kind.PROGRESS, "presync", "45 % 12 MB/s"))
    clock.sleep(75)
    with console.capture() as capture:
        console.print(terminal._activity)
    terminal.close()
    assert "1 min 15 s  45 % 12 MB/s  copy [/var/spool/mail/]" in capture.get()
    assert stream.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in stream.getvalue()


def test_no_color_is_heeded(monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown([RUN[0], RUN[2]], force_terminal=True)


def test_a_preview_stands_under_its_change() -> None:
    preview = event(
        Kind.CHANGE_PREVIEW, "relay", "--- mailertable\n+++ mailertable", "old", summary="write mailertable"
    )
    assert shown([preview]).splitlines() == [
        "    + would write mailertable [old host]",
        "        --- mailertable",
        "        +++ mailertable",
    ]


def test_a_wait_says_until_when() -> None:
    until = (NOON + timedelta(hours=48)).isoformat()
    line = shown([event(Kind.STEP_WAITING, "wait", "the old TTL runs out", until=until)])
    assert line.startswith("  … wait: waiting until 2026-12-01")


def test_a_reader_that_went_away_does_not_end_the_program() -> None:
    code = (
        "from migrator.report.terminal import SteadyConsole\n"
        "import sys, time\n"
        "console = SteadyConsole()\n"
        "time.sleep(0.5)\n"
        "for number in range(3):\n"
        "    console.print('line')\n"
        "print('went on', file=sys.stderr)\n"
    )
    reading, writing = os.pipe()
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    os.close(reading)
    _, told = program.communicate(timeout=30)
    assert (program.returncode, told) == (0, "went on\n")
