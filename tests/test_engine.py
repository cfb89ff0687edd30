"""The engine performs what steps yield, and whatever ends a run, the next one goes on and can go back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from migrator.change import Change, FileEdit, Note, Shell, Undo, Upload
from migrator.engine import Engine, Rehearsal
from migrator.errors import (
    CommandFailed,
    HostError,
    Interrupted,
    MigrateError,
    NotReady,
    Refused,
    StartOver,
    UsageError,
    VerifyFailed,
)
from migrator.event import Event, Kind
from migrator.hosts.base import Output
from migrator.journal import Journal, State, read_state
from migrator.plan import DnsPlan, SmokePlan
from migrator.steps.base import Context, Phase, Step
from tests.fakes import NOON, FakeDryRun, FakeExecutor, World, kinds, make_plan


class Survey(Step):
    """Look at both hosts."""

    name = "survey"
    phase = Phase.PREPARE
    after = ""

    def changes(self, context: Context) -> Iterator[Change]:
        if "seen" not in context.memory:
            yield Change("note the clock", Note(), Undo.NOT_NEEDED, {"seen": context.now().isoformat()})

    def verify(self, context: Context) -> None:
        assert context.memory["seen"]


class WriteFile(Step):
    """Write one file, if it is not there yet."""

    phase = Phase.PRESYNC
    host: ClassVar[str] = "old"
    path: ClassVar[str]
    text: ClassVar[str]

    def changes(self, context: Context) -> Iterator[Change]:
        before = context.reader(self.host).read_file(self.path)
        if before != self.text:
            raw = before.encode() if before is not None else None
            there = FileEdit(self.path, raw, self.text.encode())
            back = FileEdit(self.path, self.text.encode(), raw)
            yield Change(
                f"write {self.path}", Upload("old", (there,)), Upload("old", (back,)), {self.name: "written"}
            )

    def verify(self, context: Context) -> None:
        seen = context.reader(self.host).read_file(self.path)
        if seen != self.text:
            raise VerifyFailed(
                f"{self.path} is not as written",
                host="old",
                expected=self.text,
                seen=str(seen),
                advice="look",
            )


class Relay(WriteFile):
    """Relay by mailertable."""

    name = "relay"
    after = "survey"
    phase = Phase.CUTOVER
    path = "/etc/mail/mailertable"
    text = "example.test esmtp:[198.51.100.20]\n"


class Names(WriteFile):
    """Take the domain out of local-host-names, in two changes."""

    name = "names"
    after = "relay"
    phase = Phase.CUTOVER
    path = "/etc/mail/local-host-names"
    text = "# empty\n"

    def changes(self, context: Context) -> Iterator[Change]:
        yield from super().changes(context)
        if "reloaded" not in context.memory:
            reload = Shell("old", "kill -HUP 1")
            noted = {"reloaded": context.memory.get("names", "before")}
            yield Change("reload the daemon", reload, Shell("old", "kill -HUP 1"), noted)


STEPS: tuple[Step, ...] = (Survey(), Relay(), Names())
FILES = {"/etc/mail/local-host-names": "example.test\n", "/etc/aliases": "root: user01\n"}
FAILED = Output(1, "", "")
WHOLE_RUN = [
    "run_started",
    "step_started survey",
    "change_planned survey",
    "change_done survey",
    "step_done survey",
    "step_started relay",
    "change_planned",
    "change_done",
    "change_planned relay",
    "change_done relay",
    "step_done relay",
    "step_started names",
    "change_planned names",
    "change_done names",
    "change_planned names",
    "change_done names",
    "step_done names",
    "run_done",
]


class Killed(BaseException):
    """The process ended here."""


class KillingJournal(Journal):
    """A journal whose process ends right after its n-th line from now."""

    lines = 1_000_000

    def append(self, event: Event) -> int:
        sequence = super().append(event)
        self.lines -= 1
        if self.lines == 0:
            raise Killed
        return sequence


@dataclass
class Bench:
    """An engine on a world, with a journal on the disk."""

    folder: Path
    world: World = field(default_factory=lambda: World(make_plan()))
    steps: tuple[Step, ...] = STEPS
    confirm: Callable[[], bool] = lambda: True
    wait: bool = False

    def __post_init__(self) -> None:
        self.world.old.files = {path: text.encode() for path, text in FILES.items()}
        self.executor = FakeExecutor(self.world)

    def run(self, *, until: str | None = None, accept: bool = False, kill_after: int = 0) -> list[Event]:
        return self._drained(lambda engine: engine.run(until=until, accept_plan_change=accept), kill_after)

    def rollback(self, *, kill_after: int = 0) -> list[Event]:
        return self._drained(lambda engine: engine.rollback(), kill_after)

    def rehearse(self, *, until: str | None = None) -> tuple[list[Event], int]:
        rehearsal = Rehearsal(self.steps, FakeDryRun(), read_state(self.folder), self.world.context())
        return list(rehearsal.run(until=until)), rehearsal.exit_code

    @property
    def state(self) -> State:
        return read_state(self.folder)

    def _drained(self, drive: Callable[[Engine], Iterator[Event]], kill_after: int) -> list[Event]:
        with closing(KillingJournal(self.folder)) as journal:
            journal.lines = kill_after or journal.lines
            engine = Engine(
                self.steps,
                self.executor,
                journal,
                self.world.context(),
                confirm=self.confirm,
                wait=self.wait,
            )
            return list(drive(engine))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / ".migrate" / "example-mail")


def with_step(bench: Bench, step: Step, *, at: int = 1) -> Bench:
    return replace(bench, world=bench.world, steps=(*bench.steps[:at], step, *bench.steps[at:]))


def told(bench: Bench, error: type[MigrateError]) -> list[Event]:
    """Run until the error, and return what was told before it."""
    events: list[Event] = []
    with closing(Journal(bench.folder)) as journal, pytest.raises(error):
        for event in Engine(bench.steps, bench.executor, journal, bench.world.context()).run():
            events.append(event)  # noqa: PERF402 - a comprehension would lose what came before the error
    return events


def refuse(_step: Step, _context: Context) -> None:
    raise Refused("not now")


class Probe(Step):
    """Do what a test says."""

    name = "probe"
    phase = Phase.PREPARE
    after = "survey"

    def __init__(self, **says: Callable[[Context], None]) -> None:
        self.says = says
        self.asked: list[str] = []

    def ready(self, context: Context) -> None:
        self._say("ready", context)

    def changes(self, context: Context) -> Iterator[Change]:
        self._say("changes", context)
        yield from ()

    def verify(self, context: Context) -> None:
        self._say("verify", context)

    def before_rollback(self, context: Context) -> None:
        self._say("before_rollback", context)

    def _say(self, what: str, context: Context) -> None:
        self.asked.append(what)
        if what in self.says:
            self.says[what](context)


def raising(error: MigrateError, *, times: int = 1_000_000) -> Callable[[Context], None]:
    left = iter(range(times))

    def say(_context: Context) -> None:
        if next(left, None) is not None:
            raise error

    return say


class TestRun:
    def test_every_step_is_done_in_order_and_written_down(self, bench: Bench) -> None:
        assert kinds(bench.run()) == WHOLE_RUN
        assert bench.world.old.files["/etc/mail/mailertable"] == Relay.text.encode()
        assert bench.state.complete

    def test_the_undo_stands_in_the_journal_before_the_deed(self, bench: Bench) -> None:
        seen: list[bool] = []
        execute = bench.executor.execute

        def watch(command: object) -> bool:
            seen.append(any(deed.change.do == command for deed in bench.state.deeds))
            return execute(command)  # type: ignore[arg-type] # the command that the engine gave

        bench.executor.execute = watch  # type: ignore[method-assign]
        bench.run()
        assert seen == [True, True, True]

    def test_a_second_run_skips_what_is_done(self, bench: Bench) -> None:
        bench.run(until="relay")
        events = bench.run()
        assert kinds(events)[:3] == ["run_started", "step_skipped survey", "step_skipped relay"]
        assert events[-1].kind is Kind.RUN_DONE

    def test_until_stops_after_a_step(self, bench: Bench) -> None:
        assert kinds(bench.run(until="survey"))[-2:] == ["step_done survey", "run_stopped survey"]
        assert not bench.state.complete

    def test_an_unknown_step_is_named_with_its_nearest(self, bench: Bench) -> None:
        with pytest.raises(UsageError, match="did you mean relay") as caught:
            bench.run(until="relai")
        assert caught.value.exit_code == 2
        assert not bench.state.begun

    def test_changes_see_what_the_change_before_remembered(self, bench: Bench) -> None:
        bench.run()
        assert bench.state.memory["reloaded"] == "written"


class TestQuestion:
    def test_it_is_asked_once_before_mail_moves(self, bench: Bench) -> None:
        asked: list[list[str]] = []

        def confirm() -> bool:
            asked.append([name for name in bench.state.steps if bench.state.finished(name)])
            return True

        bench = replace(bench, confirm=confirm)
        bench.run(until="relay")
        bench.run()
        assert asked == [["survey"]]

    def test_no_means_that_nothing_was_moved(self, bench: Bench) -> None:
        bench = replace(bench, confirm=lambda: False)
        with pytest.raises(Refused, match="No mail was moved") as caught:
            bench.run()
        assert caught.value.exit_code == 3
        assert "/etc/mail/mailertable" not in bench.world.old.files
        replace(bench, world=bench.world, confirm=lambda: True).run()
        assert bench.state.complete


class TestFailure:
    def test_it_names_step_host_expected_seen_and_advice(self, bench: Bench) -> None:
        error = CommandFailed("make failed", status=2, host="old", expected="0", seen="2", advice="see m4")
        failure = told(with_step(bench, Probe(changes=raising(error))), CommandFailed)[-1]
        assert (failure.kind, failure.step, failure.host) == (Kind.STEP_FAILED, "probe", "old")
        assert {**failure.data, "expected": "0", "seen": "2", "advice": "see m4"} == failure.data
        record = bench.state.steps["probe"]
        assert (record.state, record.text) == ("failed", "make failed")

    def test_a_failed_change_is_yielded_anew_and_not_repeated(self, bench: Bench) -> None:
        bench.world.old.on("kill -HUP", FAILED)
        with pytest.raises(CommandFailed):
            bench.run()
        assert bench.state.pending("names") is None
        assert [deed.state for deed in bench.state.deeds if deed.step == "names"] == ["done", "failed"]
        bench.world.old.on("kill -HUP", "")
        assert kinds(bench.run())[-5:] == [
            "step_started names",
            "change_planned names",
            "change_done names",
            "step_done names",
            "run_done",
        ]

    def test_a_change_whose_host_was_lost_is_performed_again(self, bench: Bench) -> None:
        def lost(_host: object, _text: str) -> str:
            raise HostError("lost", host="old")

        bench.world.old.on("kill -HUP", lost)
        with pytest.raises(HostError):
            bench.run()
        assert bench.state.pending("names") is not None
        bench.world.old.on("kill -HUP", "")
        assert kinds(bench.run())[-4:] == [
            "step_started names",
            "change_done names",
            "step_done names",
            "run_done",
        ]

    def test_ready_is_asked_before_a_pending_change_is_performed(self, bench: Bench) -> None:
        with pytest.raises(Killed):
            bench.run(kill_after=9)
        guarded = type("Guarded", (Relay,), {"__doc__": "Relay.", "ready": refuse})
        bench = replace(bench, world=bench.world, steps=(STEPS[0], guarded(), STEPS[2]))
        with pytest.raises(Refused):
            bench.run()
        assert "/etc/mail/mailertable" not in bench.world.old.files

    def test_verification_is_tried_as_often_as_the_step_says(self, bench: Bench) -> None:
        probe = Probe(verify=raising(VerifyFailed("differs"), times=2))
        probe.attempts = 3  # type: ignore[misc] # this one step only
        with_step(bench, probe).run()
        assert probe.asked == ["ready", *["changes", "verify"] * 3]

    def test_the_last_attempt_fails_the_step(self, bench: Bench) -> None:
        with pytest.raises(VerifyFailed, match="differs"):
            with_step(bench, Probe(verify=raising(VerifyFailed("differs")))).run()
        assert bench.state.steps["probe"].state == "failed"


class TestWaiting:
    def test_it_is_written_down_with_its_time_and_raised(self, bench: Bench) -> None:
        until = NOON + timedelta(hours=48)
        events = told(with_step(bench, Probe(ready=raising(NotReady("TTL", until=until)))), NotReady)
        assert kinds(events)[-1] == "step_waiting probe"
        assert bench.state.steps["probe"].until == until

    def test_with_wait_it_sleeps_in_short_parts_and_goes_on(self, bench: Bench) -> None:
        until = NOON + timedelta(seconds=150)
        bench = replace(bench, wait=True)
        with_step(bench, Probe(ready=raising(NotReady("TTL", until=until), times=1))).run()
        assert bench.world.clock.slept == [60, 60, 30]
        assert bench.state.complete

    def test_without_a_known_time_it_looks_again_every_minute(self, bench: Bench) -> None:
        bench = replace(bench, wait=True)
        with_step(bench, Probe(verify=raising(NotReady("DNS by hand"), times=2))).run()
        assert bench.world.clock.slept == [60, 60]


class TestStartingOver:
    def test_the_run_goes_on_from_the_named_step(self, bench: Bench) -> None:
        probe = Probe(ready=raising(StartOver("the port opened by itself", step="relay"), times=1))
        events = with_step(bench, probe, at=3).run()
        assert kinds(events)[-10:] == [
            "started_over probe",
            "step_started relay",
            "step_done relay",
            "step_started names",
            "change_planned names",
            "change_done names",
            "step_done names",
            "step_started probe",
            "step_done probe",
            "run_done",
        ]

    def test_the_question_is_not_asked_again(self, bench: Bench) -> None:
        asked: list[int] = []

        def confirm() -> bool:
            asked.append(1)
            return True

        bench = replace(bench, confirm=confirm)
        with_step(bench, Probe(ready=raising(StartOver("x", step="survey"), times=1)), at=3).run()
        assert asked == [1]

    def test_it_gives_up_after_three_times(self, bench: Bench) -> None:
        probe = Probe(ready=raising(StartOver("the port opened by itself", step="relay")))
        with pytest.raises(VerifyFailed, match="opened by itself; the run went back to relay 3 times"):
            with_step(bench, probe, at=3).run()
        assert len(probe.asked) == 4
        assert bench.state.steps["probe"].state == "failed"

    def test_an_unknown_step_is_a_failure(self, bench: Bench) -> None:
        with pytest.raises(VerifyFailed):
            with_step(bench, Probe(ready=raising(StartOver("x", step="nowhere")))).run()


class TestInterruption:
    def test_what_was_under_way_is_written_down(self, bench: Bench) -> None:
        def signal(_host: object, _text: str) -> str:
            raise Interrupted("SIGINT")

        bench.world.old.on("kill -HUP", signal)
        events = told(bench, Interrupted)
        assert events[-1].kind is Kind.INTERRUPTED
        assert (events[-1].step, events[-1].text) == ("names", "reload the daemon")
        assert bench.state.steps["names"].state == "interrupted"
        bench.world.old.on("kill -HUP", "")
        bench.run()
        assert bench.state.complete

    def test_a_signal_that_comes_while_an_event_is_shown_counts_too(self, bench: Bench) -> None:
        with closing(Journal(bench.folder)) as journal:
            events = Engine(bench.steps, bench.executor, journal, bench.world.context()).run()
            for event in events:
                if event.kind is Kind.STEP_STARTED and event.step == "relay":
                    break
            assert events.throw(Interrupted("SIGTERM")).kind is Kind.INTERRUPTED
            with pytest.raises(Interrupted):
                next(events)


@pytest.mark.parametrize("lines", range(1, len(WHOLE_RUN) + 1))
class TestKilledAfterEveryLine:
    def test_the_next_run_ends_where_an_unbroken_one_does(self, bench: Bench, lines: int) -> None:
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        bench.run()
        assert bench.world.old.files == {
            **{path: text.encode() for path, text in FILES.items()},
            "/etc/mail/mailertable": Relay.text.encode(),
            "/etc/mail/local-host-names": Names.text.encode(),
        }
        assert bench.state.complete

    def test_a_rollback_restores_every_file(self, bench: Bench, lines: int) -> None:
        before = bench.world.files()
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        bench.rollback()
        assert bench.world.files() == before

    def test_resumed_and_rolled_back_every_file_is_as_at_first(self, bench: Bench, lines: int) -> None:
        before = bench.world.files()
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        bench.run()
        bench.rollback()
        assert bench.world.files() == before

    def test_a_killed_rollback_goes_on(self, bench: Bench, lines: int) -> None:
        before = bench.world.files()
        bench.run()
        with suppress(Killed):
            bench.rollback(kill_after=lines)
        if bench.state.rolled_back is None:
            with pytest.raises(Refused, match="rollback of this migration was begun"):
                bench.run()
            bench.rollback()
        assert bench.world.files() == before

    def test_a_kill_before_the_deed_is_told_loses_nothing(self, bench: Bench, lines: int) -> None:
        # Killed once more on the way, wherever the first resume comes to.
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        for _ in range(3):
            with suppress(Killed):
                bench.run(kill_after=4)
        bench.run()
        assert bench.state.complete


class TestRollback:
    def test_it_undoes_newest_first_and_says_so(self, bench: Bench) -> None:
        bench.run()
        assert kinds(bench.rollback()) == [
            "rollback_started",
            "change_undone names",
            "change_undone names",
            "step_undone names",
            "change_undone relay",
            "step_undone relay",
            "step_undone survey",
            "rollback_done",
        ]

    def test_a_run_after_it_starts_afresh(self, bench: Bench) -> None:
        bench.run()
        bench.rollback()
        assert kinds(bench.run()) == WHOLE_RUN
        assert bench.state.complete

    def test_it_refuses_before_anything_is_touched_where_there_is_no_way_back(self, bench: Bench) -> None:
        class Open(Survey):
            """Open the port."""

            name = "open"

            def changes(self, context: Context) -> Iterator[Change]:
                yield Change("open port 25 to all", Shell("new", "true"), Undo.IMPOSSIBLE)

        bench = with_step(bench, Open(), at=3)
        bench.run()
        before, performed = bench.world.files(), len(bench.executor.performed)
        with pytest.raises(Refused, match="open port 25 to all"):
            bench.rollback()
        assert (bench.world.files(), len(bench.executor.performed)) == (before, performed)
        assert not bench.state.rolling_back

    def test_a_step_can_refuse_before_anything_is_touched(self, bench: Bench) -> None:
        bench = with_step(bench, Probe(before_rollback=raising(Refused("new mail stands there"))))
        bench.run()
        before = bench.world.files()
        with pytest.raises(Refused, match="new mail"):
            bench.rollback()
        assert bench.world.files() == before
        assert bench.state.complete

    def test_a_failed_undo_is_told_and_tried_again_by_the_next(self, bench: Bench) -> None:
        before = bench.world.files()
        bench.run()
        bench.world.old.on("kill -HUP", FAILED)
        with pytest.raises(CommandFailed) as caught:
            bench.rollback()
        assert "migrate rollback" in (caught.value.advice or "")
        assert bench.state.rolling_back
        bench.world.old.on("kill -HUP", "")
        bench.rollback()
        assert bench.world.files() == before


class TestPlanChange:
    def changed(self, bench: Bench, **changes: Any) -> Bench:
        world = replace(bench.world, plan=make_plan(**changes))
        changed = replace(bench, world=world)
        world.old.files = dict(bench.world.old.files)
        return changed

    def test_it_is_refused_with_what_changed(self, bench: Bench) -> None:
        bench.run(until="survey")
        changed = self.changed(bench, dns=DnsPlan(ttl=timedelta(minutes=5)))
        with pytest.raises(UsageError, match=r"dns\.ttl: 15m → 5m") as caught:
            changed.run()
        assert "--accept-plan-change" in (caught.value.advice or "")

    def test_accepted_it_goes_on_and_is_written_down(self, bench: Bench) -> None:
        bench.run(until="survey")
        changed = self.changed(bench, dns=DnsPlan(ttl=timedelta(minutes=5)))
        assert kinds(changed.run(accept=True))[:2] == ["run_started", "plan_accepted"]
        changed.run()

    def test_it_is_refused_where_a_finished_step_is_concerned(self, bench: Bench) -> None:
        bench.run(until="survey")
        changed = self.changed(bench, old=replace(make_plan().old, mail_spool="/var/mail"))
        with pytest.raises(UsageError) as caught:
            changed.run(accept=True)
        assert "old.mail_spool concerns survey, which is finished" in (caught.value.advice or "")

    def test_the_domains_never_change(self, bench: Bench) -> None:
        bench.run(until="survey")
        with pytest.raises(UsageError) as caught:
            self.changed(bench, domains=("example.org",)).run(accept=True)
        assert "concerns the whole migration" in (caught.value.advice or "")

    def test_a_table_whose_step_is_still_to_come_may_change(self, bench: Bench) -> None:
        bench.run(until="relay")
        self.changed(bench, smoke=SmokePlan(recipient="user01@example.test")).run(accept=True)
        assert bench.state.complete


class TestRehearsal:
    def test_it_shows_every_change_and_makes_none(self, bench: Bench) -> None:
        before = bench.world.files()
        events, exit_code = bench.rehearse()
        previews = [event for event in events if event.kind is Kind.CHANGE_PREVIEW]
        assert [event.data["summary"] for event in previews] == [
            "write /etc/mail/mailertable",
            "write /etc/mail/local-host-names",
            "reload the daemon",
        ]
        assert previews[0].text == "would run upload on old"
        assert exit_code == 0
        assert (bench.world.files(), bench.world.old.performed) == (before, [])
        assert not bench.folder.exists()

    def test_checks_count_up_to_the_first_change_and_are_open_from_there(self, bench: Bench) -> None:
        events, _ = bench.rehearse()
        assert kinds(events)[3:] == [
            "change_done survey",
            "step_done survey",
            "step_started relay",
            "change_preview relay",
            "check_open relay",
            "step_started names",
            "change_preview names",
            "change_preview names",
            "check_open names",
            "message",
        ]

    def test_it_goes_on_where_a_step_reads_what_is_not_there_yet(self, bench: Bench) -> None:
        def build_on(context: Context) -> None:
            assert context.memory["key"]

        events, exit_code = with_step(bench, Probe(changes=build_on), at=2).rehearse()
        [open_check] = [event for event in events if event.kind is Kind.CHECK_OPEN and event.step == "probe"][
            :1
        ]
        assert "'key' is not known yet" in open_check.text
        assert exit_code == 0

    def test_a_refusal_before_the_first_change_is_exit_3_and_it_goes_on(self, bench: Bench) -> None:
        events, exit_code = with_step(bench, Probe(ready=raising(Refused("no firewall")))).rehearse()
        assert "step_failed probe" in kinds(events)
        assert "change_preview names" in kinds(events)
        assert exit_code == 3

    def test_a_failed_check_before_the_first_change_is_exit_1(self, bench: Bench) -> None:
        _, exit_code = with_step(bench, Probe(verify=raising(VerifyFailed("differs")))).rehearse()
        assert exit_code == 1

    def test_later_refusals_and_waits_are_told_as_what_they_are(self, bench: Bench) -> None:
        bench = with_step(bench, Probe(ready=raising(NotReady("window", until=NOON))), at=2)
        events, exit_code = bench.rehearse()
        assert "step_waiting probe" in kinds(events)
        assert exit_code == 0

    def test_it_starts_from_what_is_done_already(self, bench: Bench) -> None:
        bench.run(until="relay")
        written = (bench.folder / "journal.jsonl").read_bytes()
        events, _ = bench.rehearse()
        assert kinds(events)[1:3] == ["step_skipped survey", "step_skipped relay"]
        assert (bench.folder / "journal.jsonl").read_bytes() == written

    def test_a_rollback_is_rehearsed_newest_first(self, bench: Bench) -> None:
        bench.run()
        rehearsal = Rehearsal(bench.steps, FakeDryRun(), bench.state, bench.world.context())
        summaries = [event.data.get("summary") for event in rehearsal.rollback()]
        assert summaries[1:] == [
            "undo: reload the daemon",
            "undo: write /etc/mail/local-host-names",
            "undo: write /etc/mail/mailertable",
        ]
