"""How often a cutover asks the hosts: on a line of 20 ms each command costs between 20 and 60 of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from migrator.engine import Engine
from migrator.journal import Journal
from migrator.steps import ordered
from tests.fakes import FakeHost
from tests.steps.simulation import SimulatedExecutor, simulated

LOOKS, CHANGES = 68, 12
"""What a cutover under hold asks both hosts, from the first step after the copying ahead to the last."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how many looks and changes the hosts were asked for from now on."""
    counted: Counter[str] = Counter()

    def counting(kind: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            counted[kind] += 1
            return inner(*arguments, **options)

        return call

    for name in ("read", "inspect", "read_files"):
        monkeypatch.setattr(FakeHost, name, counting("looks", getattr(FakeHost, name)))
    monkeypatch.setattr(FakeHost, "perform", counting("changes", FakeHost.perform))
    return counted


def test_a_cutover_asks_the_hosts_no_more_often_than_it_did(tmp_path: Path, asked: Counter[str]) -> None:
    world = simulated("hold")
    with closing(Journal(tmp_path)) as journal:
        engine = Engine(ordered("hold"), SimulatedExecutor(world), journal, world.context(), wait=True)
        for _ in engine.run(until="catch-up"):
            pass
        asked.clear()
        for _ in engine.run():
            pass
    assert asked["looks"] <= LOOKS
    assert asked["changes"] <= CHANGES
