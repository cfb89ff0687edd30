"""docs/performance.md: what one run of the benchmark measured, and which targets it meets."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.inside.store import MEDIAN, SHRINK, SIGMA
from tests.bench.measuring import FEW, Figures
from tests.bench.trees import COUNT, ROWS, named
from tests.bench.young import AGED, JUST_NOW, LARGE

SIDES = ("recipe", "migrate")
UNITS = {"peak memory": ("MB", 1e-6), "share": ("%", 100.0)}
"""Rows of another unit than seconds, by how they begin: the unit, and what to multiply by."""

HEAD = """\
# What was measured

Written by `make bench`; one run, {date}, on {cores} cores, {memory:.0f} GB, Linux {kernel}, {rsync}, {openssh}.
Two containers on that machine, the stores on its file system and in its page cache, which a first copy finds empty.
{files} messages in Maildirs of {users} users and an mbox for each of them; sizes are log-normal (sigma {sigma}) with a
median of {median} kB, divided by {shrink}. "Changes" are new messages, messages read (`new/` to `cur/`), flagged and
deleted ones, and mboxes that grew, in the shares 40, 15, 15, 15, 15. The recipe is `rsync -a` for each tree; both
copy in turns after the same changes.
{line}

Medians in seconds where nothing else is said, with the number of turns; the ratio is ours to the recipe's.

| | recipe | migrate | ratio | turns |
| --- | --- | --- | --- | --- |
"""
LINE = """\
"20 ms" is a round trip on ssh and SMTP between the operator and the hosts, and on ssh between the hosts: a relay delays
each direction by 10 ms and limits no bandwidth.

Predictions: ten migrations under both strategies, with stores of up to 100,000 messages, with and without the delay,
with and without mail that comes in. The seconds that Sendmail takes to load and to start were fitted on this machine,
so elsewhere a prediction may be further off. "Orchestration" is all of a run that is neither rsync nor its proof, nor a
daemon that stops, starts or loads, nor waiting."""
TARGETS = "\n## The targets\n\n| target | measured | |\n| --- | --- | --- |\n"


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that was promised: what it is, the measured one, the most it may be, and the least."""

    text: str
    measured: float | None
    most: float
    unit: str = ""
    least: float = 0.0

    def line(self) -> str:
        """Return its line of the table; "" where it was not measured."""
        if self.measured is None:
            return ""
        verdict = "met" if self.least <= self.measured <= self.most else "**not met**"
        return f"| {self.text} | {self.measured:.2f}{self.unit} | {verdict} |\n"


def page(figures: Figures, *, files: int, users: int, rsync: str, openssh: str) -> str:
    """Return the page, given the figures, the size of the large store, and the hosts' programs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    head = HEAD.format(
        date=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count(),
        memory=memory,
        kernel=platform.release().split("-")[0],
        rsync=rsync,
        openssh=openssh,
        files=f"{files:,}",
        users=f"{users:,}",
        sigma=SIGMA,
        median=MEDIAN // 1000,
        shrink=SHRINK,
        line=LINE,
    )
    rows = "".join(row(figures, name) for name in figures.values)
    return head + rows + TARGETS + "".join(target.line() for target in targets(figures))


def row(figures: Figures, name: str) -> str:
    """Return a row of the table."""
    unit, scale = next((found for begin, found in UNITS.items() if name.startswith(begin)), ("", 1.0))
    recipe, ours = (figures.median(name, side) for side in SIDES)
    shown = [
        "" if value is None else f"{value * scale:.2f}{f' {unit}' if unit else ''}"
        for value in (recipe, ours)
    ]
    ratio = f"{ours / recipe:.2f}" if ours is not None and recipe else ""
    turns = max(len(values) for values in figures.values[name].values())
    return f"| {name} | {shown[0]} | {shown[1]} | {ratio} | {turns} |\n"


def targets(figures: Figures) -> list[Target]:
    """Return the targets with what was measured."""
    final = f"final pass, {FEW} changes"
    tenth = f"{final}, a tenth of the store"
    memory = [
        value
        for name in figures.values
        if name.startswith("peak")
        for value in figures.values[name]["migrate"]
    ]
    said = "within 1.5 times of its own time on a tenth of the store"
    closed = figures.median("port 25 closed in a cutover", "migrate")
    overhead = figures.median("orchestration of a cutover, 20 ms", "migrate")
    start = figures.median("start-up of migrate --help", "migrate")
    return [
        Target(f"{final}: at most a tenth of the recipe's", ratio(figures, final), 0.1, " of it"),
        Target(f"{final}: {said}", own(figures, final, tenth), 1.5, " times"),
        Target(
            f"{JUST_NOW}: within 1.5 times of that when it has aged",
            own(figures, JUST_NOW, AGED),
            1.5,
            " times",
        ),
        Target(f"{LARGE}: not slower than the recipe's", ratio(figures, LARGE), 1.0, " of it"),
        *_many(figures),
        Target("first copy: not slower than the recipe's", ratio(figures, "first copy"), 1.0, " of it"),
        Target(
            "predictions of both times within 30 %: in nine of ten runs",
            figures.median("share of the predictions within 30 %", "migrate"),
            1.0,
            " of them",
            least=0.9,
        ),
        Target("port 25 of the old host closed in a cutover: never", closed, 0.0, " s"),
        Target("orchestration of a cutover on a line of 20 ms: under 5 s", overhead, 5.0, " s"),
        Target(
            "memory of the operator's process: under 100 MB",
            max(memory) / 1e6 if memory else None,
            100.0,
            " MB",
        ),
        Target("`migrate --help`: under 0.25 s", start, 0.25, " s"),
    ]


def _many(figures: Figures) -> list[Target]:
    """Return the targets of a store that is many trees of the plan."""
    many, single = named(COUNT), named(1)
    slower = [
        Target(
            f"{what}, {many}: within 1.5 times of that {single}",
            own(figures, f"{what}, {many}", f"{what}, {single}"),
            1.5,
            " times",
        )
        for what in ROWS
    ]
    told = [
        Target(f"{row}, within 30 %", figures.median(row, "migrate"), 1.3, least=0.7)
        for row in (f"{what}, {many}: real to predicted" for what in ("mail", "mailboxes"))
    ]
    return [*slower, *told]


def ratio(figures: Figures, name: str) -> float | None:
    """Return ours to the recipe's."""
    recipe, ours = (figures.values.get(name, {}).get(side) for side in SIDES)
    return statistics.median(ours) / statistics.median(recipe) if ours and recipe else None


def own(figures: Figures, name: str, other: str) -> float | None:
    """Return our time in one row to that in another."""
    here, there = figures.median(name, "migrate"), figures.median(other, "migrate")
    return here / there if here is not None and there else None
