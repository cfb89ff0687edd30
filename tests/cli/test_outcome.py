"""The exit code says why a command ended, whatever else fails while it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from migrator.cli.outcome import Call, outcome
from migrator.errors import HostError, Interrupted, MigrateError


def ended(*errors: Exception) -> int:
    """Return the exit code of a command that raises the first error, and each other one while it closes."""
    with pytest.raises(typer.Exit) as exit_, outcome(Call("run", Path("plan.toml"))):
        raise_each(*errors)
    return exit_.value.exit_code


def raise_each(*errors: Exception) -> None:
    *before, last = errors
    try:
        if before:
            raise_each(*before)
    finally:
        raise last


@pytest.mark.parametrize(
    "failure", [EOFError(), RuntimeError("cannot release un-acquired lock"), HostError("it is gone")]
)
def test_what_fails_while_a_stopped_run_closes_is_not_why_it_ended(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(Interrupted("Stopped by SIGTERM; the journal is whole"), failure) == 130
    assert "Stopped by SIGTERM" in capsys.readouterr().err


def test_an_error_that_was_foreseen_gives_its_own_code() -> None:
    assert ended(MigrateError("it failed")) == 1
    assert ended(OSError("a cause"), HostError("it broke")) == 1


def test_what_nobody_foresaw_goes_on_to_the_program() -> None:
    with pytest.raises(KeyError), outcome(Call("run", Path("plan.toml"))):
        raise KeyError("x")
