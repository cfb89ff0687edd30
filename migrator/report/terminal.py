"""Events for a person at a terminal: phases, steps and changes, and what is under way with its seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from migrator.event import Event, Kind
from migrator.report.lines import Line, lines
from migrator.report.text import clean, duration

_STYLES = {
    "title": "bold",
    "step": "bold cyan",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "preview": "cyan",
    "faint": "dim",
    "detail": "dim",
    "plain": "",
}
_PATIENCE = 1.0
"""Seconds after which a person wants to know what is going on."""
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_REFRESH = 8  # times a second


class SteadyConsole(Console):
    """A console that falls silent when nobody reads it any more; Rich's own ends the program, in mid-move."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Terminal:
    """Shows events on a console: in place and in colour on a terminal, else one plain line for each.

    Given the console, and a monotonic clock in seconds.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._phase = ""
        self._since = self._step_since = clock()
        self._activity = _Activity(clock)
        self._live: Live | None = None

    def show(self, event: Event) -> None:
        """Show one event."""
        if event.kind is Kind.PROGRESS:
            self._progress(event)
            return
        took = self._took(event)
        if event.kind is Kind.STEP_STARTED:
            self._enter_phase(str(event.data.get("phase", "")))
        for line in lines(event, took=took):
            self._console.print(_styled(line), soft_wrap=True)
        self._follow(event)

    def pause(self) -> None:
        """Take away what is shown in place, so that a question can be asked."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.pause()

    def _took(self, event: Event) -> float | None:
        now = self._clock()
        if event.kind is Kind.STEP_STARTED:
            self._step_since = now
        if event.kind is Kind.STEP_DONE:
            return now - self._step_since
        took = now - self._since
        self._since = now
        return took if event.kind in (Kind.CHANGE_DONE, Kind.CHANGE_FAILED, Kind.CHANGE_UNDONE) else None

    def _enter_phase(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._console.print(Text(clean(phase), style="bold underline"))

    def _follow(self, event: Event) -> None:
        """Show in place what is under way from now on."""
        starts = (Kind.STEP_STARTED, Kind.CHANGE_PLANNED, Kind.CHANGE_DONE, Kind.STEP_WAITING, Kind.MESSAGE)
        if event.kind not in starts:
            self.pause()
            return
        text = clean(event.text.partition("\n")[0])
        self._activity.begin(f"measuring, after: {text}" if event.kind is Kind.CHANGE_DONE else text)
        if self._console.is_terminal and not self._console.no_color and self._live is None:
            self._live = Live(
                self._activity, console=self._console, transient=True, refresh_per_second=_REFRESH
            )
            self._live.start()

    def _progress(self, event: Event) -> None:
        # Without a terminal a line for every block of rsync would bury the rest.
        self._activity.progress = clean(event.text)


class _Activity:
    """What is under way, redrawn by Rich: nothing within the first second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin("")

    def begin(self, text: str) -> None:
        self._text = text
        self._began = self._clock()
        self.progress = ""

    def __rich__(self) -> Text:
        seconds = self._clock() - self._began
        if seconds < _PATIENCE and not self.progress:
            return Text("")
        frame = _FRAMES[int(seconds * _REFRESH) % len(_FRAMES)]
        words = [duration(seconds), *([self.progress] if self.progress else []), self._text]
        return Text(f"    {frame} {'  '.join(words)}", no_wrap=True, overflow="ellipsis")


def _styled(line: Line) -> Text:
    sign = f"{line.sign} " if line.sign else ("  " if line.depth else "")
    return Text(f"{'  ' * line.depth}{sign}{line.text}", style=_STYLES[line.tone])
