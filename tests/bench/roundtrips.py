"""`python -m tests.bench.roundtrips`: every command of a cutover on a line with delay, by step, to find the fat."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.line import line
from tests.lab.driver import succeed
from tests.lab.lab import PROJECT, Lab

COPYING = ("rsync", "verification")
LONG = 3600
WORKING = ("close-new", "relay", "open-to-old", "open-new", "redirect-webmail")
"""The steps whose changes stop, start or reload a daemon, or have it make its maps."""


@dataclass(frozen=True, slots=True)
class Command:
    """One noted command of a run; times in seconds since the epoch."""

    kind: str
    host: str
    step: str
    asked: str
    what: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Process:
    """The operator's process: peak memory in bytes, processor time and duration in seconds."""

    peak: int
    cpu: float
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of the program, as traced.py noted it."""

    commands: Sequence[Command]
    process: Process

    def seconds(self, *kinds: str) -> float:
        """Return how long commands of these kinds took together."""
        return sum(one.seconds for one in self.commands if one.kind in kinds)

    @property
    def overhead(self) -> float:
        """Return the seconds of the run that are neither copying, nor comparing, nor waiting, nor a daemon's own work.

        Some changes wait for a daemon (make, stop, start, reload): of them only what any other change takes counts.
        """
        plain = [one.seconds for one in self.commands if one.kind == "change" and one.step not in WORKING]
        usual = statistics.median(plain) if plain else 0.0
        work = [one.seconds - usual for one in self.commands if one.kind == "change" and one.step in WORKING]
        whole = self.process.ended - self.process.began
        return whole - self.covered("sleep", *COPYING) - sum(max(0.0, one) for one in work)

    def covered(self, *kinds: str) -> float:
        """Return for how long a command of these kinds went on, those at once counted once."""
        total = end = 0.0
        for one in sorted(self.commands, key=lambda command: command.began):
            if one.kind in kinds:
                total += max(0.0, one.ended - max(one.began, end))
                end = max(end, one.ended)
        return total


def traced(lab: Lab, command: str, *options: str) -> Trace:
    """Run `migrate` in a lab with its commands noted. Raise AssertionError where it fails."""
    file = lab.folder / "trace"
    argv = [sys.executable, "-m", "tests.bench.traced", str(file), command, str(lab.plan_path), *options]
    done = subprocess.run(
        argv, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return read(file)


def read(file: Path) -> Trace:
    """Given what traced.py wrote, return it."""
    lines = [json.loads(text) for text in file.read_text().splitlines()]
    commands = [Command(**one) for one in lines if one["kind"] != "process"]
    (process,) = (
        {key: one[key] for key in ("peak", "cpu", "began", "ended")}
        for one in lines
        if one["kind"] == "process"
    )
    return Trace(sorted(commands, key=lambda one: one.began), Process(**process))


def by_step(trace: Trace) -> str:
    """Return a line for each step, in order: commands by kind, and seconds."""
    steps: dict[str, list[Command]] = defaultdict(list)
    for command in trace.commands:
        steps[command.step].append(command)
    lines = []
    for step, commands in steps.items():
        counts: dict[str, int] = defaultdict(int)
        for one in commands:
            counts[one.kind] += 1
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        lines.append(f"{step or '-':18}{sum(one.seconds for one in commands):8.2f} s  {kinds}")
    return "\n".join(lines)


def listing(trace: Trace) -> str:
    """Return a line for each command."""
    start = trace.process.began
    return "\n".join(
        f"{one.began - start:8.2f} {one.seconds:6.2f} {one.kind:12} {one.host:8} {one.step:16} "
        f"{one.asked:40} {one.what[:60]}"
        for one in trace.commands
    )


def totals(trace: Trace) -> str:
    """Return the sums of a run."""
    kinds = dict.fromkeys(one.kind for one in trace.commands)
    parts = [
        f"{sum(1 for one in trace.commands if one.kind == kind)} {kind} {trace.seconds(kind):.2f} s"
        for kind in kinds
    ]
    process = trace.process
    return (
        f"{process.ended - process.began:.1f} s in all; {'; '.join(parts)}\n"
        f"orchestration {trace.overhead:.2f} s; processor {process.cpu:.1f} s; peak {process.peak / 1e6:.0f} MB"
    )


def main() -> int:
    """Migrate a lab over a line with delay, and show every command of the cutover."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--delay", type=float, default=20.0, help="milliseconds of a round trip (default: 20)"
    )
    parser.add_argument("--list", action="store_true", help="show each command")
    arguments = parser.parse_args()
    with Lab() as lab, line(lab, arguments.delay / 1000):
        succeed(lab, "run", "--until", "presync")
        trace = traced(lab, "run", "--yes", "--wait")
    text = "\n\n".join([*([listing(trace)] if arguments.list else []), by_step(trace), totals(trace)])
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
