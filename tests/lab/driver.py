"""`migrate` as its user sees it: a process, its events, its exit code, and what a kill leaves of it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests.lab.lab import PROJECT, Lab

Event = dict[str, Any]
SECONDS = 300.0


def succeed(lab: Lab, command: str, *options: str, seconds: float = SECONDS) -> str:
    """Run `migrate` to its end and return what it wrote. Raise AssertionError where it does not end with 0."""
    done = lab.migrate(command, *options, seconds=seconds)
    assert done.returncode == 0, (
        f"migrate {command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout


def events(lab: Lab, command: str, *options: str) -> list[Event]:
    """Run `migrate --json` to its end and return its events. Raise AssertionError where it fails."""
    return [json.loads(line) for line in succeed(lab, command, "--json", *options).splitlines()]


def killed_at(lab: Lab, when: Callable[[Event], bool], *options: str, sign: int = signal.SIGKILL) -> int:
    """Start `migrate run`, send the signal at the first event that is wanted, and return the exit code.

    Raise AssertionError where the run ended before, which would be a kill that was none.
    """
    argv = lab.migrate_argv("run", "--json", "--yes", "--wait", *options)
    with subprocess.Popen(
        argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        watchdog = threading.Timer(SECONDS, run.kill)
        watchdog.start()
        try:
            seen = any(when(event) for event in _lines(run))
            if seen:
                run.send_signal(sign)
            _, errors = run.communicate()
        finally:
            watchdog.cancel()
    assert seen, f"the run ended with {run.returncode} before it could be killed: {errors}"
    return run.returncode


def change_of(step: str) -> Callable[[Event], bool]:
    """Return the test for the first change of a step: it is journalled, and just being done."""
    return lambda event: event["kind"] == "change_planned" and event["step"] == step


def _lines(run: subprocess.Popen[str]) -> Iterator[Event]:
    assert run.stdout is not None
    for line in run.stdout:
        yield json.loads(line)
