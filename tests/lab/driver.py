"""`migrate` as its user sees it: a process, its events, its exit code, and what a signal leaves of it."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.lab.lab import PROJECT, Lab
from tests.lab.scene import Scene

Event = dict[str, Any]
Wanted = Callable[[Event], bool]
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


def migrate(lab: Lab, stage: Scene) -> None:
    """Copy ahead while people read their mail, then migrate. Raise AssertionError where it fails."""
    succeed(lab, "run", "--until", "presync")
    stage.readers.stop()
    succeed(lab, "run", "--yes", "--wait")


@dataclass
class Running:
    """A `migrate run` under way."""

    process: subprocess.Popen[str]
    seen: list[Event]

    def wait_for(self, wanted: Wanted) -> None:
        """Read events until the wanted one. Raise AssertionError where the run ends before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(json.loads(line))
            if wanted(self.seen[-1]):
                return
        last = self.seen[-1] if self.seen else "nothing"
        raise AssertionError(f"the run ended with {self.process.wait()} before what was waited for; {last}")

    def end(self, sign: int | None = None) -> int:
        """Send a signal, or none, read to the end, and return the exit code."""
        if sign is not None:
            self.process.send_signal(sign)
        assert self.process.stdout is not None
        self.seen += [json.loads(line) for line in self.process.stdout if line.endswith("\n")]
        return self.process.wait()


@contextmanager
def running(lab: Lab, *options: str) -> Iterator[Running]:
    """Yield `migrate run --yes --wait` under way; what is left of it at the end of the block is killed."""
    argv = lab.migrate_argv("run", "--json", "--yes", "--wait", *options)
    with (
        # A pipe of errors that nobody empties could block the run; a file cannot.
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        watchdog = threading.Timer(SECONDS, process.kill)
        watchdog.start()
        try:
            yield Running(process, [])
        finally:
            watchdog.cancel()
            process.kill()


def killed_at(lab: Lab, wanted: Wanted, *options: str, sign: int = signal.SIGKILL) -> int:
    """Start `migrate run`, send the signal at the first event that is wanted, and return the exit code.

    Raise AssertionError where the run ended before, which would be a kill that was none.
    """
    with running(lab, *options) as run:
        run.wait_for(wanted)
        return run.end(sign)


def change_of(step: str) -> Wanted:
    """Return the test for the first change of a step: it is journalled, and just being done."""
    return lambda event: event["kind"] == "change_planned" and event["step"] == step


def start_of(step: str) -> Wanted:
    """Return the test for the start of a step."""
    return lambda event: event["kind"] == "step_started" and event["step"] == step
