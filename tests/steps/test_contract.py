"""What holds for every step, also for those to come."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.change import Change, DnsUpdate, Note, Rsync, Undo
from migrator.engine import Engine, Rehearsal
from migrator.errors import GoBack
from migrator.event import Kind
from migrator.journal import Record, State, read_state
from migrator.plan.shapes import Strategy
from migrator.steps import discover, ordered
from migrator.steps.base import Phase, Step
from migrator.steps.homeward import homeward, turning
from tests.engine.bench import Killed, KillingJournal
from tests.fakes import FakeDryRun, World
from tests.steps.simulation import FILES, SimulatedExecutor, SimulatedHost, simulated

EARLY = (Phase.PREPARE, Phase.PRESYNC)
STRATEGIES: tuple[Strategy, ...] = ("hold", "firewall")
NEVER_UNDONE = frozenset({"remove-key", "open-old", "open-to-old", "open-new"})
"""Steps that take away what an earlier step brought or did, so that the undo of that step is theirs as well."""
CHAIN = [(strategy, step.name) for strategy in STRATEGIES for step in ordered(strategy)]


@dataclass
class Bench:
    """A simulated migration and its journal."""

    strategy: Strategy
    folder: Path
    world: World

    @property
    def steps(self) -> tuple[Step, ...]:
        return ordered(self.strategy)

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def hosts(self) -> tuple[SimulatedHost, SimulatedHost]:
        old, new = self.world.old, self.world.new
        assert isinstance(old, SimulatedHost)
        assert isinstance(new, SimulatedHost)
        return old, new

    def changes(self, name: str) -> list[Change]:
        return [deed.change for deed in read_state(self.folder).deeds if deed.step == name]

    def run(self, *, until: str | None, kill_after: int = 0) -> None:
        with closing(KillingJournal(self.folder)) as journal:
            journal.lines = kill_after or journal.lines
            for _ in self.engine(journal).run(until=until):
                pass

    def run_slowly(self, *, kill_after: int = 0) -> None:
        """Run with a final pass that takes longer than the cutover may."""
        with closing(KillingJournal(self.folder)) as journal:
            journal.lines = kill_after or journal.lines
            executor = SlowExecutor(self.world)
            engine = Engine(self.steps, executor, journal, self.world.context(), turning=turning(), wait=True)
            for _ in engine.run():
                pass

    def rollback(self, *, kill_after: int = 0) -> None:
        with closing(KillingJournal(self.folder)) as journal:
            journal.lines = kill_after or journal.lines
            for _ in self.engine(journal).rollback():
                pass

    def run_to(self, name: str) -> None:
        """Do every step before this one."""
        names = [step.name for step in self.steps]
        if names.index(name):
            self.run(until=names[names.index(name) - 1])

    def engine(self, journal: Record) -> Engine:
        context = self.world.context()
        executor = SimulatedExecutor(self.world)
        return Engine(
            self.steps, executor, journal, context, homeward=homeward(), turning=turning(), wait=True
        )

    def picture(self) -> object:
        return [host.picture() for host in self.hosts], dict(self.world.names.sets)


class SlowExecutor(SimulatedExecutor):
    """Takes an hour for each pass that only looks at what changed since the sweep."""

    def execute(self, command: object) -> bool:
        if isinstance(command, Rsync) and command.delete and command.scope == "changed":
            self.world.clock.sleep(3600)
        return super().execute(command)


@pytest.fixture
def bench(strategy: Strategy, tmp_path: Path) -> Iterator[Bench]:
    yield Bench(strategy, tmp_path / "state" / "example-mail", simulated(strategy))


@pytest.mark.parametrize("step", discover(), ids=lambda step: step.name)
class TestEveryStep:
    def test_its_docstring_is_one_headline(self, step: type[Step]) -> None:
        headline = (inspect.getdoc(step) or "").splitlines()[0]
        assert re.fullmatch(r"[A-Z].{9,118}\.", headline)

    def test_it_stands_in_the_file_of_its_name(self, step: type[Step]) -> None:
        assert step.__module__ == f"migrator.steps.{step.name.replace('-', '_')}"
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", step.name)

    def test_it_belongs_to_a_strategy(self, step: type[Step]) -> None:
        assert any(step.name == one.name for strategy in STRATEGIES for one in ordered(strategy))


@pytest.mark.parametrize("strategy", STRATEGIES)
class TestChain:
    def test_phases_follow_one_another(self, strategy: str) -> None:
        order = list(Phase)
        phases = [order.index(step.phase) for step in ordered(strategy)]
        assert phases == sorted(phases)

    def test_the_whole_migration_runs(self, bench: Bench) -> None:
        bench.run(until=None)
        old, new = bench.hosts
        assert read_state(bench.folder).complete
        assert old.relays("example.test")
        assert not new.relays("example.test")
        assert (old.port, new.port, new.listening) == ("open", "open", True)
        assert bench.world.names.sets["A"].addresses == ("198.51.100.20",)
        assert old.files["/root/.ssh/authorized_keys"] == FILES["/root/.ssh/authorized_keys"].encode()
        assert not [path for path in new.files if "migrate" in path]

    def test_killed_after_any_line_the_next_run_comes_to_the_same_end(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        bench.run(until=None)
        end, lines = bench.picture(), len((bench.folder / "journal.jsonl").read_bytes().splitlines())
        for number in range(1, lines, 3):
            killed = Bench(bench.strategy, tmp_path / str(number) / "name", simulated(bench.strategy))
            with pytest.raises(Killed):
                killed.run(until=None, kill_after=number)
            killed.run(until=None)
            assert killed.picture() == end

    def test_killed_after_any_line_a_rollback_restores(self, bench: Bench, tmp_path: Path) -> None:
        before = bench.picture()
        bench.run(until=None)
        for number in range(1, len((bench.folder / "journal.jsonl").read_bytes().splitlines()), 3):
            killed = Bench(bench.strategy, tmp_path / str(number) / "name", simulated(bench.strategy))
            with pytest.raises(Killed):
                killed.run(until=None, kill_after=number)
            killed.rollback()
            assert killed.picture() == before

    def test_a_rollback_after_the_end_killed_after_any_line_goes_on(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        before = bench.picture()
        bench.run(until=None)
        done = (bench.folder / "journal.jsonl").read_bytes()
        bench.rollback()
        assert bench.picture() == before
        lines = (bench.folder / "journal.jsonl").read_bytes()[len(done) :].splitlines()
        for number in range(1, len(lines), 3):
            killed = Bench(bench.strategy, tmp_path / str(number) / "name", simulated(bench.strategy))
            killed.run(until=None)
            with pytest.raises(Killed):
                killed.rollback(kill_after=number)
            killed.rollback()
            assert killed.picture() == before

    def test_a_rehearsal_contradicts_no_step_and_says_sentences(self, bench: Bench) -> None:
        """What would be done after mail has moved is not told by what the hosts and the DNS say before."""
        dry = FakeDryRun()
        rehearsal = Rehearsal(bench.steps, dry, State(), bench.world.context())
        events = list(rehearsal.run())
        summaries = [event.data["summary"] for event in events if event.kind is Kind.CHANGE_PREVIEW]
        assert not [
            one
            for one in summaries
            if re.match(r"(the|a|an|from|pass|what|every)\b|\S+:", one) and not one.startswith("note: ")
        ]
        assert not [one for one in summaries if "NOT the new host" in one]
        updates = {
            event.step: command
            for event, command in zip(
                [one for one in events if one.kind is Kind.CHANGE_PREVIEW and one.text],
                dry.previewed,
                strict=True,
            )
            if isinstance(command, DnsUpdate)
        }
        addresses = {step: [one.addresses for one in update.sets] for step, update in updates.items()}
        assert addresses == {
            "lower-ttl": [("198.51.100.10",)],
            "move-dns": [("198.51.100.20",)],
            "restore-ttl": [("198.51.100.20",)],
        }
        assert not [one.text for one in events if one.kind is Kind.CHECK_OPEN and "any more" in one.text]

    def test_a_rehearsal_of_the_whole_touches_nothing(self, bench: Bench) -> None:
        before = bench.picture()
        rehearsal = Rehearsal(bench.steps, FakeDryRun(), read_state(bench.folder), bench.world.context())
        events = list(rehearsal.run())
        assert {event.step for event in events if event.kind is Kind.STEP_STARTED} == {
            step.name for step in bench.steps
        }
        assert rehearsal.exit_code == 0
        assert bench.picture() == before
        assert not bench.folder.exists()


@pytest.mark.parametrize(("strategy", "name"), CHAIN, ids=[f"{strategy}-{name}" for strategy, name in CHAIN])
class TestEveryStepInItsPlace:
    def test_a_second_pass_yields_nothing(self, bench: Bench, name: str) -> None:
        bench.run(until=name)
        context = bench.world.context(memory=read_state(bench.folder).memory)
        assert [change.summary for change in bench.step(name).changes(context)] == []

    def test_its_dry_run_touches_nothing(self, bench: Bench, name: str) -> None:
        bench.run_to(name)
        before, written = (
            bench.picture(),
            bench.folder.exists() and (bench.folder / "journal.jsonl").read_bytes(),
        )
        rehearsal = Rehearsal(bench.steps, FakeDryRun(), read_state(bench.folder), bench.world.context())
        for _ in rehearsal.run(until=name):
            pass
        assert bench.picture() == before
        assert (bench.folder.exists() and (bench.folder / "journal.jsonl").read_bytes()) == written

    def test_applied_and_rolled_back_both_hosts_are_as_before(self, bench: Bench, name: str) -> None:
        before = bench.picture()
        bench.run(until=name)
        bench.rollback()
        assert bench.picture() == before

    def test_its_own_undos_restore_what_it_found(self, bench: Bench, name: str) -> None:
        bench.run_to(name)
        before = bench.picture()
        bench.run(until=name)
        undos = [change.undo for change in reversed(bench.changes(name))]
        if name not in NEVER_UNDONE:
            executor = SimulatedExecutor(bench.world)
            for undo in undos:
                if not isinstance(undo, Undo):
                    executor.execute(undo)
            assert bench.picture() == before

    def test_every_summary_is_a_line_that_an_administrator_would_write(self, bench: Bench, name: str) -> None:
        bench.run(until=name)
        for change in bench.changes(name):
            assert re.fullmatch(r"[^\n]{10,400}", change.summary) or isinstance(change.do, Note)
            assert not change.summary.endswith(".")


@pytest.mark.parametrize("strategy", STRATEGIES)
class TestACutoverThatTakesTooLong:
    def test_it_goes_back_by_itself_and_a_later_run_moves_the_mail(self, bench: Bench) -> None:
        bench.run_to("close-new")
        before = bench.picture()
        with pytest.raises(GoBack, match="takes too long"):
            bench.run_slowly()
        assert bench.picture() == before
        states = {name: record.state for name, record in read_state(bench.folder).steps.items()}
        assert states.keys() == {step.name for step in bench.steps if step.phase in EARLY} - {
            "wait",
            "catch-up",
        }
        bench.run(until=None)
        assert read_state(bench.folder).complete

    def test_killed_on_the_way_back_the_next_run_goes_on_with_it(self, bench: Bench, tmp_path: Path) -> None:
        bench.run_to("close-new")
        before = bench.picture()
        for number in range(1, 200, 3):
            killed = Bench(bench.strategy, tmp_path / str(number) / "name", simulated(bench.strategy))
            killed.run_to("close-new")
            try:
                killed.run_slowly(kill_after=number)
            except GoBack:
                break
            except Killed:
                pass
            if read_state(killed.folder).going_back:
                with pytest.raises(GoBack):
                    killed.run(until=None)
                assert killed.picture() == before
            killed.run(until=None)
            assert read_state(killed.folder).complete
        assert number > 30

    def test_a_rollback_after_it_restores_as_ever(self, bench: Bench) -> None:
        before = bench.picture()
        with pytest.raises(GoBack):
            bench.run_slowly()
        bench.rollback()
        assert bench.picture() == before
        assert read_state(bench.folder).rolled_back
