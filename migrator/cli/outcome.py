"""How a command ends: an exit code, and a block on standard error that says what to do next."""

from __future__ import annotations

import json
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from migrator.cli.streams import say
from migrator.errors import Interrupted, Locked, MigrateError, NotReady, PlanError, Refused, UsageError
from migrator.report.failure import HOSTS, failure_block
from migrator.report.text import clean, clean_lines, moment


@dataclass
class Call:
    """One command as it was typed; `step` is the step under way, once there is one."""

    command: str
    plan: Path
    json: bool = False
    debug: bool = False
    step: str | None = None

    def typed(self, command: str = "", *options: str) -> str:
        """Return a command line for the same plan, this command's by default."""
        return shlex.join(["migrate", command or self.command, str(self.plan), *options])


@contextmanager
def outcome(call: Call) -> Iterator[None]:
    """End the program with the exit code of the MigrateError that the body raises, and say what happened."""
    try:
        yield
    except Exception as error:
        # A signal may come inside of anything, and what closes then can fail in ways that nobody can list.
        known = _interruption(error) or error
        if not isinstance(known, MigrateError):
            raise
        if call.debug:
            typer.echo(_trace(error), err=True)
        if call.json:
            say(json.dumps(_as_json(known, call)))
        say(_block(known, call), err=True)
        raise typer.Exit(known.exit_code) from None


def _interruption(error: BaseException) -> Interrupted | None:
    """Return the stop during which an error was raised, if there was one."""
    while error.__context__ is not None:
        error = error.__context__
        if isinstance(error, Interrupted):
            return error
    return None


def unexpected(error: Exception, *, debug: bool) -> int:
    """Given what nobody foresaw, say so in one sentence on standard error, and return the exit code."""
    if debug:
        print(_trace(error), file=sys.stderr)  # noqa: T201 - the last resort of the program
    else:
        sentence = f"migrate has a fault of its own: {type(error).__name__}: {clean(str(error))}"
        print(f"{sentence} (--debug shows where)", file=sys.stderr)  # noqa: T201 - the last resort of the program
    return 1


def _trace(error: Exception) -> str:
    """Return Python's traceback; what a host said stands in it as well, so it is made harmless."""
    return "\n".join(clean_lines("".join(traceback.format_exception(error)).rstrip("\n")))


def _block(error: MigrateError, call: Call) -> str:
    if isinstance(error, PlanError):
        where = [f"{error.path}:{fault.line}" if fault.line else error.path for fault in error.faults]
        keys = [f"{fault.key}: " if fault.key else "" for fault in error.faults]
        faults = zip(where, keys, error.faults, strict=True)
        return "\n".join(
            [clean(error.message), *(clean(f"  {at}: {key}{fault.reason}") for at, key, fault in faults)]
        )
    rows = [
        ("step", call.step),
        ("host", HOSTS.get(error.host, error.host) if error.host else None),
        ("expected", error.expected),
        ("seen", error.seen),
        ("until", moment(error.until) if isinstance(error, NotReady) and error.until else None),
        ("to do", error.advice),
        ("then type", _next(error, call)),
    ]
    return failure_block(error.message, rows)


def _next(error: MigrateError, call: Call) -> str | None:
    if isinstance(error, UsageError | Locked) or (call.command == "rollback" and isinstance(error, Refused)):
        return None
    if isinstance(error, Refused) and error.lifted_by:
        return f"{call.typed()}   (or, to go on all the same: {call.typed('', '--force', error.lifted_by)})"
    return call.typed()


def _as_json(error: MigrateError, call: Call) -> dict[str, Any]:
    faults = error.faults if isinstance(error, PlanError) else ()
    until = error.until if isinstance(error, NotReady) else None
    return {
        "kind": "ended",
        "exit_code": error.exit_code,
        "error": type(error).__name__,
        "text": error.message,
        "step": call.step,
        "host": error.host,
        "expected": error.expected,
        "seen": error.seen,
        "advice": error.advice,
        "until": until.isoformat() if until else None,
        "faults": [{"key": fault.key, "line": fault.line, "reason": fault.reason} for fault in faults],
    }
