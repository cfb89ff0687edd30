"""Many trees: the same messages and the same changes in one tree of the plan, and in thousands."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.bench.measuring import FEW, VOLUMES, Figures, between
from tests.bench.sides import ours, python
from tests.lab.driver import succeed
from tests.lab.lab import Lab

COUNT = 2_000
EACH = 20
"""Messages in each tree."""
TURNS = 3
LONG = 1800
"""Seconds that a run may take: the sweep of thousands of trees takes minutes."""
ROOT = "/srv/customers/"
INSIDE = Path(__file__).with_name("inside") / "customers.py"
FINAL = f"final pass and its proof, {FEW} changes"
ROWS = ("mail waits", "mailboxes closed")


def named(count: int) -> str:
    """Return what the rows of so many trees are called by."""
    return "in one tree" if count == 1 else f"in {count} trees"


def trees(figures: Figures, count: int) -> None:
    """Measure passes and a cutover of one tree, and of so many with the same in them."""
    for number in (1, count):
        with Lab(volumes=VOLUMES, seed=1) as lab:
            python(lab, "old", INSIDE, "fill", str(count), str(EACH))
            _plan(lab, number)
            _measure(lab, figures, number, count)


def _plan(lab: Lab, number: int) -> None:
    folders = [ROOT] if number == 1 else [f"{ROOT}c{each}/mail/" for each in range(number)]
    added = "".join(f'[[sync]]\nfrom = "{each}"\nto = "{each}"\n\n' for each in folders)
    text = lab.plan_path.read_text()
    lab.plan_path.write_text(text.replace("[cutover]", f"{added}[cutover]", 1))


def _measure(lab: Lab, figures: Figures, number: int, count: int) -> None:
    name = named(number)
    began = time.monotonic()
    succeed(lab, "run", "--wait", "--until", "catch-up", seconds=LONG)
    figures.note(f"run until the copies of before are made, {name}", "migrate", time.monotonic() - began)
    seeds = iter(range(100))
    with ours(lab) as side:
        for _ in range(TURNS):
            swept = side.copy("whole", delete=True)[0]
            figures.note(f"sweep, {name}", "migrate", swept)
            python(lab, "old", INSIDE, "change", str(count), str(FEW), str(next(seeds)))
            final = side.copy(delete=True, trust=True)[0]
            figures.note(f"final pass, {name}", "migrate", final)
            figures.note(f"{FINAL}, {name}", "migrate", final + side.verify())
        # What changes before the question, from which the cutover is predicted, takes as long as what changes after it.
        side.copy()
    python(lab, "old", INSIDE, "change", str(count), str(FEW), str(next(seeds)))
    time.sleep(swept)
    succeed(lab, "run", "--yes", "--wait", "--until", "sweep", seconds=LONG)
    python(lab, "old", INSIDE, "change", str(count), str(FEW), str(next(seeds)))
    succeed(lab, "run", "--yes", "--wait", seconds=LONG)
    figures.note(f"mail waits, {name}", "migrate", between(lab, "relay", "open-to-old"))
    figures.note(f"mailboxes closed, {name}", "migrate", between(lab, "relay", "open-new"))
    told = json.loads(succeed(lab, "status", "--json"))["cutover"]
    for what, each in told.items():
        figures.note(f"{what}, {name}: real to predicted", "migrate", each["real"] / each["predicted"])
