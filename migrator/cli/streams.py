"""Saying things to whoever listens, and going on where nobody does."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import typer


def say(text: str, *, err: bool = False) -> None:
    """Print a line, to standard error with `err`; where nobody reads it any more, the program goes on without."""
    try:
        typer.echo(text, err=err)
    except OSError:  # a closed pipe, or a terminal that is gone
        silence(sys.stderr if err else sys.stdout)


def silence(stream: TextIO) -> None:
    """Let a stream that nobody reads lead nowhere, what it still holds included: its end would fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
