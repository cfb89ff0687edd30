"""What is measured, in which order: both sides in turns, on one store, in one run."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from migrator.mailstore.look import MARGIN
from tests.bench.line import line
from tests.bench.predictions import outcomes, share
from tests.bench.roundtrips import Trace, traced
from tests.bench.sides import COPY, Ours, Recipe, ours, python, shell
from tests.lab.lab import PROJECT, Lab
from tests.lab.probe import PortProbe
from tests.lab.recipe import CLOSED, RELAY, TREES, point_mail_host_at

INSIDE = Path(__file__).with_name("inside")
FILES = 1_000_000
USERS = 2_000
SMALLER = 10
"""By how much the second store is smaller."""
LINE = 0.02
"""Seconds of a round trip on the line with delay."""
FEW, MANY = 100, 10_000
VOLUMES = ("/var/mail", "/var/www/web1")

KEEP = "rm -rf /root/mail-before && cp -a /etc/mail /root/mail-before"
RESTORE = "rm -rf /etc/mail && mv /root/mail-before /etc/mail && service sendmail restart"


@dataclass
class Figures:
    """What was measured: for each row and side the values of all turns, in the row's unit.

    `say` is told each value, and `keep` all of them after each: a run that is ended loses none.
    """

    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    say: Callable[[str], None] = print
    keep: Callable[[Figures], None] = lambda _figures: None

    def note(self, row: str, side: str, value: float) -> None:
        """Keep one value."""
        self.values[row][side].append(value)
        self.say(f"{row}: {side} {value:.3f}")
        self.keep(self)

    def median(self, row: str, side: str) -> float | None:
        """Return the median of a row's side, None where it was not measured."""
        values = self.values.get(row, {}).get(side)
        return statistics.median(values) if values else None


class Bench:
    """One lab with a store of so many files, and what is measured in it; row names get the suffix."""

    def __init__(self, lab: Lab, figures: Figures, files: int, suffix: str) -> None:
        self.lab = lab
        self.figures = figures
        self.files = files
        self.suffix = suffix
        self._seeds = itertools.count()
        self._recipe = Recipe(lab)
        self._written = 0.0  # when much of the store was written last

    def note(self, row: str, side: str, value: float) -> None:
        """Keep a value of this store."""
        self.figures.note(f"{row}{self.suffix}", side, value)

    def fill(self) -> None:
        """Write the store."""
        users = max(20, USERS * self.files // FILES)
        seconds = python(self.lab, "old", INSIDE / "store.py", str(self.files), str(users))
        self._written = time.monotonic()
        self.figures.say(f"{self.files} messages and {users} mboxes were written in {seconds:.0f} s")

    def age(self) -> None:
        """Wait until the store is no news: whatever a note finds younger is fetched with its folder (look.MARGIN)."""
        left = self._written + MARGIN + 5 - time.monotonic()
        self.figures.say(f"the store ages for {max(0.0, left):.0f} s more")
        time.sleep(max(0.0, left))
        with ours(self.lab) as side:
            side.copy()

    def first_copy(self) -> Trace:
        """Copy everything for the first time; return the trace of the program's run up to there.

        The recipe copies before and after it, each time into a folder of its own, so that no side has the newer disk.
        """
        forget_files()
        self.note("first copy", "recipe", self._recipe.copy())
        forget_files()
        trace = traced(self.lab, "run", "--until", "presync")
        copies = [one for one in trace.commands if one.kind == "rsync"]
        self.note("first copy", "migrate", sum(one.seconds for one in copies[: len(TREES)]))
        forget_files()
        self.note("first copy", "recipe", self._recipe.copy(f"{COPY}-again"))
        return trace

    def change(self, count: int) -> None:
        """Change the store as its users and its mail do."""
        if count:
            seed = f"{self.files}{self.suffix}-{next(self._seeds)}"
            python(self.lab, "old", INSIDE / "change.py", str(count), seed)
        if count > FEW:
            self._written = time.monotonic()

    def passes(self, side: Ours, row: str, count: int, turns: int) -> None:
        """Let both sides make a pass after so many changes, in turns."""
        for turn in range(turns):
            self.change(count)
            for name in ("recipe", "migrate") if turn % 2 else ("migrate", "recipe"):
                self.note(row, name, self._recipe.copy() if name == "recipe" else side.copy()[0])

    def final_passes(self, side: Ours, row: str, turns: int, *, recipe: bool = True) -> None:
        """Let both sides make the last pass after FEW changes since the sweep, and ours prove it."""
        for _ in range(turns):
            self.exact(side)
            self.change(FEW)
            if recipe:
                self.note(row, "recipe", self._recipe.copy())
            self.note(row, "migrate", side.copy(delete=True, trust=True)[0])
            self.note(f"{row}: its proof", "migrate", side.verify())

    def copy_recipe(self, row: str) -> None:
        """Let the recipe make a pass."""
        self.note(row, "recipe", self._recipe.copy())

    def exact(self, side: Ours) -> None:
        """Make the copy exact, as the sweep does."""
        self.note("sweep (the mailboxes are open)", "migrate", side.copy("whole", delete=True)[0])

    def recipe_cutover(self) -> None:
        """Close, move, copy, relay and open as the recipe says; then put everything back as it was."""
        lab, place = self.lab, self.lab.place
        shell(lab, "old", KEEP)
        self.change(FEW)
        with PortProbe(place.old) as port:
            shell(lab, "old", f"iptables {CLOSED}")
            began = time.monotonic()
            point_mail_host_at(lab, place.new)
            self._recipe.copy()
            shell(lab, "old", RELAY.format(new=place.new))
            shell(lab, "old", "iptables -D INPUT 1")
            seconds = time.monotonic() - began
            time.sleep(1)
        self.note("port 25 closed in a cutover", "recipe", port.total)
        self.note("mailboxes closed in a cutover", "recipe", seconds)
        shell(lab, "old", RESTORE)
        point_mail_host_at(lab, place.old, ttl=5)

    def cutover(self) -> Trace:
        """Migrate under `hold`, and return the trace of the run."""
        lab = self.lab
        self.change(FEW)
        with PortProbe(lab.place.old) as port:
            trace = traced(lab, "run", "--yes", "--wait")
        self.note("port 25 closed in a cutover", "migrate", port.total)
        self.note("mailboxes closed in a cutover", "migrate", between(lab, "relay", "open-new"))
        self.note("mail waits in a cutover", "migrate", between(lab, "relay", "open-to-old"))
        return trace


def forget_files() -> None:
    """Have the machine write what is not written yet, and forget files: else whoever copies second finds no memory."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def between(lab: Lab, first: str, last: str) -> float:
    """Return the seconds from the start of one step to the end of another, as the journal has them."""
    lines = (lab.state_path / "journal.jsonl").read_text().splitlines()
    events = [json.loads(text) for text in lines]
    began = [
        event["time"] for event in events if (event.get("kind"), event.get("step")) == ("step_started", first)
    ]
    ended = [
        event["time"] for event in events if (event.get("kind"), event.get("step")) == ("step_done", last)
    ]
    return moment(ended[-1]) - moment(began[-1])


def moment(text: str) -> float:
    """Return a time of the journal in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def measure_large(bench: Bench) -> None:
    """Measure on the whole store, without delay and with it, and a cutover of both sides."""
    with ours(bench.lab) as side:
        bench.passes(side, "pass, no change", 0, 3)
        bench.passes(side, f"pass, {FEW} changes", FEW, 3)
        bench.final_passes(side, f"final pass, {FEW} changes", 3)
    with line(bench.lab, LINE):
        slow = Bench(bench.lab, bench.figures, bench.files, ", 20 ms")
        with ours(bench.lab) as side:
            slow.passes(side, "pass, no change", 0, 1)
            slow.passes(side, f"pass, {FEW} changes", FEW, 1)
            slow.final_passes(side, f"final pass, {FEW} changes", 1)
    with ours(
        bench.lab
    ) as side:  # the last of the passes, for what is this young is fetched with its folder later on
        bench.passes(side, f"pass, {MANY} changes", MANY, 1)
    bench.recipe_cutover()
    bench.age()
    trace = bench.cutover()
    bench.note("orchestration of a cutover", "migrate", trace.overhead)
    bench.note("peak memory of a cutover", "migrate", trace.process.peak)


def measure_small(bench: Bench) -> None:
    """Measure what the last pass costs on a tenth of the store, and a cutover on a line with delay."""
    with ours(bench.lab) as side:
        bench.final_passes(side, f"final pass, {FEW} changes", 5)
    with line(bench.lab, LINE):
        slow = Bench(bench.lab, bench.figures, bench.files, f"{bench.suffix}, 20 ms")
        trace = slow.cutover()
    bench.figures.note("orchestration of a cutover, 20 ms", "migrate", trace.overhead)


STORES: dict[str, tuple[int, str, Callable[[Bench], None]]] = {
    "small": (SMALLER, ", a tenth of the store", measure_small),
    "large": (1, "", measure_large),
}
"""What is measured on which store: by how much it is smaller, what its rows are called, and the measuring."""


def stores(figures: Figures, files: int, wanted: Sequence[str]) -> None:
    """Fill and copy every wanted store, then measure on each: so that the first ages while the next is filled."""
    with ExitStack() as stack:
        benches = {}
        for name in wanted:
            smaller, suffix, _ = STORES[name]
            lab = stack.enter_context(Lab(volumes=VOLUMES, seed=1))
            benches[name] = Bench(lab, figures, files // smaller, suffix)
            benches[name].fill()
            trace = benches[name].first_copy()
            benches[name].note("peak memory of the first copy", "migrate", trace.process.peak)
        for name, bench in benches.items():
            bench.age()
            STORES[name][2](bench)


def predictions(figures: Figures) -> None:
    """Measure how near predictions come; whatever is off is told."""
    found = []
    for one in outcomes():
        found.append(one)
        figures.say(str(one))
        figures.note(f"{one.what} of ten cutovers: real to predicted", "migrate", one.real / one.predicted)
    figures.note("share of the predictions within 30 %", "migrate", share(found))


def start_up(figures: Figures) -> None:
    """Measure how long `migrate --help` takes."""
    argv = [sys.executable, "-m", "migrator", "--help"]
    for _ in range(20):
        began = time.monotonic()
        subprocess.run(argv, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
        figures.note("start-up of migrate --help", "migrate", time.monotonic() - began)
