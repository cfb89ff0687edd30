"""How often a cutover asks the hosts: on a line of 20 ms each command costs between 20 and 60 of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import pytest

from migrator.engine import Engine
from migrator.event import Kind
from migrator.journal import Journal
from migrator.plan.shapes import Strategy
from migrator.steps import ordered
from migrator.steps.common import at_once, forecasting
from tests.fakes import FakeHost
from tests.steps.simulation import SimulatedExecutor, simulated

LOOKS, CHANGES = 77, 12
"""What a cutover under hold asks both hosts, from the first step after the copying ahead to the last."""

IN_TURN = 49
"""For how many of them it waits, one after the other; two of these come when mail has moved (smoke)."""


class Turns:
    """Counts commands in turn: of looks that are made at once, the longest counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.now = 0
        self.ended: dict[str, int] = {}  # step: the turns when it ended

    def counting(self, kind: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that is counted as one turn."""

        def call(*arguments: Any, **options: Any) -> Any:
            self.asked[kind] += 1
            self.now += 1
            return inner(*arguments, **options)

        return call

    def begin(self) -> None:
        """Forget what was counted."""
        self.asked.clear()
        self.now = 0

    def by_step(self) -> Mapping[str, int]:
        """Return the turns of each step."""
        ends = [0, *self.ended.values()]
        return {step: end - before for step, end, before in zip(self.ended, ends[1:], ends, strict=False)}


class OneByOne:
    """Stands in for the pool of `at_once`: makes each look where it is asked for, and counts the longest alone."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._before = turns.now
        self._longest = 0

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turns.now = self._before + self._longest

    def submit(self, look: Callable[[], Any]) -> Future[Any]:
        """Make a look."""
        self._turns.now = 0
        done: Future[Any] = Future()
        done.set_result(look())
        self._longest = max(self._longest, self._turns.now)
        return done


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Return what counts the looks and changes that the hosts are asked for from now on."""
    counted = Turns()
    for name in ("read", "inspect", "read_files"):
        monkeypatch.setattr(FakeHost, name, counted.counting("looks", getattr(FakeHost, name)))
    monkeypatch.setattr(FakeHost, "perform", counted.counting("changes", FakeHost.perform))
    monkeypatch.setattr(at_once, "ThreadPoolExecutor", lambda _most: OneByOne(counted))
    return counted


def cut_over(strategy: Strategy, folder: Path, turns: Turns) -> None:
    """Run a migration, and count from the end of the copying ahead on."""
    world = simulated(strategy)
    answer = world.mail.answer
    world.mail.answer = lambda *asked: cast("tuple[int, str]", turns.counting("mail", answer)(*asked))
    with closing(Journal(folder)) as journal:
        engine = Engine(ordered(strategy), SimulatedExecutor(world), journal, world.context(), wait=True)
        for _ in engine.run(until="catch-up"):
            pass
        turns.begin()
        for event in engine.run():
            if event.kind is Kind.STEP_DONE and event.step:
                turns.ended[event.step] = turns.now


def test_a_cutover_asks_the_hosts_no_more_often_than_it_did(tmp_path: Path, turns: Turns) -> None:
    cut_over("hold", tmp_path, turns)
    assert turns.asked["looks"] <= LOOKS
    assert turns.asked["changes"] <= CHANGES
    assert turns.now <= IN_TURN


@pytest.mark.parametrize("strategy", ["hold", "firewall"])
def test_the_prediction_counts_the_commands_that_a_cutover_takes(
    strategy: Strategy, tmp_path: Path, turns: Turns
) -> None:
    cut_over(strategy, tmp_path, turns)
    counted = forecasting.ORCHESTRATION[strategy]
    told: Counter[str] = Counter()
    for step, cost in (*counted.waiting.items(), *counted.opening.items()):
        told[step] += cost.commands
    taken = {step: count for step, count in turns.by_step().items() if step in told}
    # It counts on a run of the queue, and looks at it and at the log; here nothing waits there.
    if strategy == "hold":
        taken["flush"] += 3
    assert told == taken
