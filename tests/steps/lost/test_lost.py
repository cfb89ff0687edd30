"""The old host is lost in the middle of a migration: what is known is told, and the new host ends it alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.engine import Engine
from migrator.errors import HostError, Refused
from migrator.event import Event, Kind
from migrator.journal import read_state
from migrator.plan.shapes import Strategy
from migrator.steps import ordered
from migrator.steps.homeward import homeward
from migrator.steps.lost import LOST, OLD_HOST_LOST, alone
from tests.engine.bench import Killed, KillingJournal
from tests.steps.simulation import SimulatedExecutor, simulated
from tests.steps.test_contract import Bench

FORCE = frozenset({OLD_HOST_LOST})
STRATEGIES: tuple[Strategy, ...] = ("hold", "firewall")
STOPS = [
    (strategy, step.name)
    for strategy in STRATEGIES
    for step in ordered(strategy)
    if step.phase in ("presync", "cutover", "verify") and step.name != "settle"
]


def bench_of(strategy: Strategy, folder: Path, last: str) -> Bench:
    """Return a migration that ran until a step, and whose old host does not answer from then on."""
    bench = Bench(strategy, folder / "example-mail", simulated(strategy))
    bench.run(until=last)
    bench.world.old.lost = True
    bench.world.new.on("TY-%Tm", "user01\t3\t2026-11-29 11:58\n")
    return bench


def go_on(bench: Bench, *, kill_after: int = 0, force: frozenset[str] = FORCE) -> list[Event]:
    """Run with the new host alone, as the command does."""
    state = read_state(bench.folder)
    steps: Sequence[object] = bench.steps
    chain = alone(bench.steps, [step.name for step in bench.steps if state.finished(step.name)])
    assert len(chain) == len(steps) + 1
    with closing(KillingJournal(bench.folder)) as journal:
        journal.lines = kill_after or journal.lines
        context = replace(bench.world.context(), force=force)
        return list(Engine(chain, SimulatedExecutor(bench.world), journal, context).run())


def expect_alone(bench: Bench) -> None:
    _, new = bench.hosts
    state = read_state(bench.folder)
    assert state.complete
    assert (new.port, new.listening, new.starts_at_boot) == ("open", True, True)
    assert bench.world.names.sets["A"].addresses == ("198.51.100.20",)
    assert not [path for path in new.files if ".ssh/migrate" in path]


@pytest.mark.parametrize(("strategy", "last"), STOPS)
def test_the_new_host_ends_it_alone(tmp_path: Path, strategy: Strategy, last: str) -> None:
    bench = bench_of(strategy, tmp_path, last)
    events = go_on(bench)
    expect_alone(bench)
    told = [event.text for event in events if event.kind is Kind.CHANGE_DONE]
    assert any("is left out: it needs the old host" in text for text in told)
    assert any("user01: 3 files, the newest of 2026-11-29 11:58" in text for text in told)
    assert any("queue" in text for text in told)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_after_any_line_it_goes_on(tmp_path: Path, strategy: Strategy) -> None:
    for number in range(1, 40, 4):
        bench = bench_of(strategy, tmp_path / str(number), "sweep")
        with pytest.raises(Killed):
            go_on(bench, kill_after=number)
        go_on(bench)
        expect_alone(bench)


def test_what_the_old_host_kept_back_is_told(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "drain")
    told = "\n".join(event.text for event in go_on(bench))
    assert "after sweep (2026-11-29T1" in told
    assert "waited in its queue, and none of it is on the new host" in told
    assert "what it had queued before" in told
    assert "came in while that pass ran" in told


def test_after_the_new_host_opened_what_flush_had_not_delivered_is_told(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "open-to-old")
    assert "what flush had not delivered" in "\n".join(event.text for event in go_on(bench))


def test_where_a_change_on_the_old_host_was_under_way_it_is_not_made_again(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "sweep")
    bench.world.old.lost = False
    lines = 0
    while not any(
        deed.step == "relay" and deed.state == "planned" for deed in read_state(bench.folder).deeds
    ):
        lines += 1
        with pytest.raises(Killed):
            bench.run(until="relay", kill_after=lines + 2)
        assert lines < 40
    bench.world.old.lost = True
    go_on(bench)
    expect_alone(bench)


def test_without_the_word_it_is_told_what_is_known_and_how_it_ends(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "sweep")
    with pytest.raises(HostError) as lost:
        bench.run(until=None)
    advice = lost.value.advice or ""
    assert "--force old-host-lost" in advice
    assert "(sweep)" in advice


def test_before_a_pass_was_whole_it_is_refused(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "install-key")
    with pytest.raises(Refused, match="no copy of the mail is whole"):
        go_on(bench)


def test_a_host_that_answers_is_not_lost(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "sweep")
    bench.world.old.lost = False
    with pytest.raises(Refused, match="not lost"):
        go_on(bench)


def test_the_way_home_says_why_it_cannot_be(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "open-new")
    before = read_state(bench.folder).deeds
    with pytest.raises(HostError) as lost:
        bench.rollback()
    assert "no way home without the old host" in (lost.value.advice or "")
    with closing(KillingJournal(bench.folder)) as journal:
        context = replace(bench.world.context(), force=FORCE)
        engine = Engine(bench.steps, SimulatedExecutor(bench.world), journal, context, homeward=homeward())
        with pytest.raises(Refused, match="no way home"):
            list(engine.rollback())
    assert read_state(bench.folder).deeds == before
    go_on(bench)
    bench.world.old.lost = False
    with pytest.raises(Refused, match="no way home"):
        bench.rollback()


def test_a_run_that_was_going_back_does_not_any_more(tmp_path: Path) -> None:
    bench = bench_of("hold", tmp_path, "drain")
    with closing(KillingJournal(bench.folder)) as journal:
        known = {"host": None, "expected": None, "seen": None, "advice": None}
        journal.append(
            Event(
                Kind.GOING_BACK, bench.world.clock.now(), text="too long", data={"to": "wait", "known": known}
            )
        )
    go_on(bench)
    expect_alone(bench)
    assert LOST in read_state(bench.folder).memory
    assert not read_state(bench.folder).going_back
