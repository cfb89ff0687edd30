"""Saying things to whoever listens, and going on where nobody does."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import typer

_LAST = 2


def say(text: str, *, err: bool = False) -> None:
    """Print a line, to standard error with `err`; where nobody reads it any more, the program goes on without."""
    try:
        typer.echo(text, err=err)
    except OSError:  # a closed pipe, or a terminal that is gone
        silence(sys.stderr if err else sys.stdout)


def agreed(question: str) -> bool:
    """Ask on the terminal, and return whether the answer is yes: the end of the input (Ctrl-D) is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def silence(stream: TextIO) -> None:
    """Let a stream that nobody reads lead nowhere, what it still holds included: its end would fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def filled() -> None:
    """Let each of the three streams that was closed before the program began lead nowhere.

    Else a file that is opened, the journal among them, would take its number, and what a program says its place.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # They stay open until the program ends.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
