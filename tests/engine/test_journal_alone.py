"""A rollback goes by the journal alone: whatever the plan says today, and whatever steps there are today."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.change import BringHome, Command, Undo, Upload
from migrator.engine import Engine, Rehearsal
from migrator.errors import Refused
from migrator.journal import Journal, State, decode, read_state
from migrator.plan import DnsPlan, HostPlan, Plan, SyncTree
from migrator.plan.shapes import Strategy
from migrator.steps import ordered
from migrator.steps.homeward import homeward
from tests.fakes import FakeDryRun
from tests.steps.simulation import SimulatedExecutor, simulated
from tests.steps.test_contract import Bench

STRATEGIES: tuple[Strategy, ...] = ("hold", "firewall")
OTHER: dict[Strategy, Strategy] = {"hold": "firewall", "firewall": "hold"}
FORMAT_1 = Path(__file__).parent / "journals"
"""Whole runs and their rollbacks, as the simulation of tests/steps wrote them before a journal told its format."""


@pytest.fixture(params=STRATEGIES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(request.param, tmp_path / "state" / "example-mail", simulated(request.param))


class Roller:
    """Rolls a bench back under another plan and other steps, and keeps what was performed."""

    def __init__(self, bench: Bench, plan: Plan) -> None:
        self.bench = bench
        self.executor = SimulatedExecutor(bench.world)
        self.context = replace(bench.world.context(), plan=plan)

    def roll_back(self) -> list[Command]:
        steps = ordered(self.context.plan.cutover.strategy)
        with closing(Journal(self.bench.folder)) as journal:
            engine = Engine(steps, self.executor, journal, self.context, homeward=homeward())
            for _ in engine.rollback():
                pass
        return self.executor.performed


def edited(plan: Plan) -> dict[str, Plan]:
    """Return the plan with each of the edits after which a rollback used to forget deeds."""
    strategy = OTHER[plan.cutover.strategy]
    return {
        "a tree less": replace(plan, sync=plan.sync[:1]),
        "other trees": replace(plan, sync=(SyncTree("/home/vmail/", "/home/vmail/"),)),
        "the other strategy": replace(plan, cutover=replace(plan.cutover, strategy=strategy)),
        "no webmail": replace(plan, webmail=None),
        "other hosts": replace(
            plan,
            old=HostPlan("root@198.51.100.77", ("198.51.100.77",)),
            new=HostPlan("root@198.51.100.78", ("198.51.100.78",)),
        ),
        "other addresses": replace(plan, new=replace(plan.new, addresses=("198.51.100.78",))),
        "dns by hand": replace(plan, dns=DnsPlan()),
        "another domain": replace(plan, domains=("other.test",)),
    }


@pytest.mark.parametrize("edit", edited(simulated("hold").plan))
class TestAnEditedPlan:
    def test_after_the_end_all_is_undone_and_each_tree_brought_home(self, bench: Bench, edit: str) -> None:
        before = bench.picture()
        bench.run(until=None)
        performed = Roller(bench, edited(bench.world.plan)[edit]).roll_back()
        assert bench.picture() == before
        assert [one.tree for one in performed if isinstance(one, BringHome)] == [0, 1]
        assert read_state(bench.folder).rolled_back

    @pytest.mark.parametrize("last", ["install-key", "close-new", "relay", "open-new"])
    def test_in_the_middle_too(self, bench: Bench, edit: str, last: str) -> None:
        before = bench.picture()
        bench.run(until=last)
        Roller(bench, edited(bench.world.plan)[edit]).roll_back()
        assert bench.picture() == before

    def test_a_dry_run_shows_the_same(self, bench: Bench, edit: str) -> None:
        bench.run(until=None)
        shown = []
        for plan in (bench.world.plan, edited(bench.world.plan)[edit]):
            preview = FakeDryRun()
            context = replace(bench.world.context(), plan=plan)
            steps = ordered(plan.cutover.strategy)
            rehearsal = Rehearsal(steps, preview, read_state(bench.folder), context, homeward=homeward())
            list(rehearsal.rollback())
            shown.append(preview.previewed)
        assert shown[0] == shown[1]


def renamed(bench: Bench, name: str, other: str) -> None:
    """Let the journal know a step by another name, as one of an earlier version would."""
    path = bench.folder / "journal.jsonl"
    path.write_text(path.read_text().replace(f'"{name}"', f'"{other}"'))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", sorted({step.name for each in STRATEGIES for step in ordered(each)}))
def test_a_step_of_another_name_is_undone_in_its_place(tmp_path: Path, strategy: Strategy, name: str) -> None:
    bench = Bench(strategy, tmp_path / "example-mail", simulated(strategy))
    before = bench.picture()
    bench.run(until=None)
    plain = Bench(strategy, tmp_path / "plain" / "example-mail", simulated(strategy))
    plain.run(until=None)
    wanted = Roller(plain, plain.world.plan).roll_back()
    renamed(bench, name, f"former-{name}")
    performed = Roller(bench, bench.world.plan).roll_back()
    assert bench.picture() == before
    assert [one.kind for one in performed] == [one.kind for one in wanted]


@pytest.mark.parametrize("name", ["survey", "relay", "close-new"])
def test_an_unknown_step_leaves_no_guard_out(tmp_path: Path, name: str) -> None:
    bench = Bench("hold", tmp_path / "example-mail", simulated("hold"))
    bench.run(until=None)
    renamed(bench, name, f"former-{name}")
    bench.world.old.files["/var/lib/migrate/example-mail/run"] = b"another-run of somebody\n"
    performed = Roller(bench, bench.world.plan)
    with pytest.raises(Refused, match="another migration"):
        performed.roll_back()
    assert performed.executor.performed == []


def test_a_run_that_starts_over_after_an_upgrade_keeps_the_order(tmp_path: Path) -> None:
    bench = Bench("hold", tmp_path / "example-mail", simulated("hold"))
    bench.run(until="relay")
    renamed(bench, "relay", "former-relay")
    bench.run(until="drain")  # its chain does not have former-relay any more, and relays anew
    order = read_state(bench.folder).order
    assert order[order.index("sweep") + 1] == "former-relay"
    assert order.index("former-relay") < order.index("drain")


def test_what_a_run_that_started_over_has_moved_is_brought_home(tmp_path: Path) -> None:
    """Where a run is killed after it went back to an earlier step, none of the cutover's steps counts as begun."""
    bench = Bench("hold", tmp_path / "example-mail", simulated("hold"))
    bench.run(until=None)
    state = read_state(bench.folder)
    for name in [name for name, phase in state.phases.items() if phase not in ("prepare", "presync")]:
        del state.steps[name]
    context = bench.world.context()
    rehearsal = Rehearsal(ordered("hold"), FakeDryRun(), state, context, homeward=homeward())
    assert "bring-home" in {event.step for event in rehearsal.rollback()}


def test_a_plan_that_cannot_be_read_is_refused_before_anything(tmp_path: Path) -> None:
    bench = Bench("hold", tmp_path / "example-mail", simulated("hold"))
    bench.run(until=None)
    path = bench.folder / "journal.jsonl"
    path.write_text(path.read_text().replace('"cutover.strategy"', '"cutover.way_of_it"'))
    roller = Roller(bench, edited(bench.world.plan)["a tree less"])
    with pytest.raises(Refused, match=r"unknown: cutover\.way_of_it") as refused:
        roller.roll_back()
    assert "version" in (refused.value.advice or "")
    assert roller.executor.performed == []


def old_lines(strategy: str) -> tuple[list[bytes], list[int]]:
    """Return the lines of a run of before, and which changes its own rollback undid, by the line that planned them."""
    lines = gzip.decompress((FORMAT_1 / f"format-1-{strategy}.jsonl.gz").read_bytes()).splitlines(
        keepends=True
    )
    events = [json.loads(line) for line in lines]
    end = next(place for place, event in enumerate(events) if event["kind"] == "rollback_started")
    undone = [event["data"]["planned"] for event in events if event["kind"] == "change_undone"]
    return lines[:end], undone


def stops(strategy: str) -> list[tuple[str, str, int]]:
    """Return each step of such a run with the number of lines that a kill right after it leaves."""
    events = [json.loads(line) for line in old_lines(strategy)[0]]
    return [
        (strategy, event["step"], place + 1)
        for place, event in enumerate(events)
        if event["kind"] == "step_done"
    ]


class OldBench(Bench):
    """A world as a journal of before left it: the files that it wrote, and nothing of what its scripts did."""

    def take_over(self, lines: list[bytes]) -> list[dict[str, Any]]:
        self.folder.mkdir(parents=True)
        (self.folder / "journal.jsonl").write_bytes(b"".join(lines))
        planned = [event for event in map(json.loads, lines) if event["kind"] == "change_planned"]
        for event in planned:
            do = decode(event["data"]["change"]).do
            if isinstance(do, Upload):
                for edit in do.files:
                    assert edit.after is not None
                    self.world.host(do.host).files[edit.path] = edit.after
        return planned


@pytest.mark.parametrize(
    ("strategy", "step", "length"), [stop for strategy in STRATEGIES for stop in stops(strategy)]
)
def test_a_journal_of_format_1_is_undone_as_its_own_version_did(
    tmp_path: Path, strategy: Strategy, step: str, length: int
) -> None:
    lines, undone = old_lines(strategy)
    bench = OldBench(strategy, tmp_path / "example-mail", simulated(strategy))
    before = bench.world.files()
    planned = {
        event["sequence"]: decode(event["data"]["change"]) for event in bench.take_over(lines[:length])
    }
    performed = Roller(bench, edited(bench.world.plan)["other trees"]).roll_back()
    expected = [planned[number].undo for number in undone if number in planned]
    assert performed[: len(expected)] == expected
    assert all(not isinstance(one, Undo) for one in expected)
    brought = [one.tree for one in performed if isinstance(one, BringHome)]
    opened = any("new.opened" in change.remember for change in planned.values())
    assert brought == ([0, 1] if opened else [])
    sources = ("/etc/mail/sendmail.mc", "/etc/mail/access", "/etc/mail/local-host-names")
    for name, files in before.items():
        assert {path: bench.world.files()[name].get(path) for path in sources} == {
            path: files.get(path) for path in sources
        }
    assert read_state(bench.folder).rolled_back


def test_the_journal_tells_its_format_its_version_and_where_the_plan_was(tmp_path: Path) -> None:
    bench = Bench("hold", tmp_path / "example-mail", simulated("hold"))
    bench.run(until="survey")
    state = read_state(bench.folder)
    assert (state.format, state.version, state.path) == (2, "0.1.0", "/plans/example.toml")
    assert State().format == 1
