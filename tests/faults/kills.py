"""What the tests of kills share: a migration that is killed on its way, again and again, until it is through."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter

from tests.faults.killing import JOURNAL, LINE, Place, place
from tests.faults.outcome import Outcome
from tests.lab.driver import Event
from tests.lab.lab import PROJECT, Lab

SECONDS = 240.0
"""The longest that one run may take that goes on from a kill."""

MOMENTS = {"rsync": 2, "dns": 3, "probe": 2}
"""How often a command of a kind is killed before it is let through; once where it is not named."""


def journal(lab: Lab) -> list[bytes]:
    """Return the whole lines of the journal; a torn last one is none."""
    path = lab.state_path / JOURNAL
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def kill_after_every_line(lab: Lab, outcome: Outcome, command: str, *options: str) -> None:
    """Run `migrate` until it ends with 0, killed each time after the next line that it never wrote before.

    Raise AssertionError where a run ends in another way, or gets no further than the one before it.
    """
    reached = place(journal(lab))
    while run_until_killed(lab, LINE, reached, command, *options):
        before, reached = reached, place(journal(lab))
        assert reached > before, f"a run got no further than {before}"
        outcome.hit(kills=1)


def kill_in_every_command(lab: Lab, outcome: Outcome, seed: int, command: str, *options: str) -> Counter[str]:
    """Run `migrate` until it ends with 0, killed each time in the middle of the next command, at a random moment.

    Return how many commands of each kind were really cut off, by what the journal says. Raise AssertionError where a
    run ends in another way.
    """
    chance, known, cut = random.Random(seed), place(journal(lab)), Counter[str]()
    tried = Counter[Place]()
    while run_until_killed(lab, str(chance.random()), known, command, *options):
        outcome.hit(kills=1)
        lines = journal(lab)
        kind, reached = under_way(lines), place(lines)
        cut[kind] += bool(kind)
        tried[reached] += 1
        if not kind or tried[reached] >= MOMENTS.get(kind, 1):
            known = max(known, reached)
    return cut


def under_way(lines: list[bytes]) -> str:
    """Return the kind of the command that the last run neither confirmed nor gave up, "" where there is none."""
    planned: dict[int, str] = {}
    for line in lines:
        event: Event = json.loads(line)
        if event["kind"] == "change_planned":
            planned[event["sequence"]] = event["data"]["change"]["do"]["kind"]
        else:
            planned.pop(event["data"].get("planned", 0), None)
    return list(planned.values())[-1] if planned else ""


def run_until_killed(lab: Lab, moment: str, known: Place, command: str, *options: str) -> bool:
    """Run `migrate` until it is killed beyond a place, and return True; False where it came to its end with 0.

    Raise AssertionError with what it said where it ended by itself with another code.
    """
    path = str(lab.state_path / JOURNAL)
    arguments = lab.migrate_argv(command, "--json", *options)[3:]
    argv = [sys.executable, "-m", "tests.faults.killing", moment, str(known.step), str(known.lines), path]
    done = subprocess.run(
        [*argv, *arguments],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode in {0, -signal.SIGKILL}, (
        f"at {moment} beyond {known} it ended with {done.returncode}: {done.stderr}"
    )
    return done.returncode != 0
