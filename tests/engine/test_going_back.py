"""A cutover that takes too long is undone by itself, up to the step from which a later run begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.change import Change, Note, Rsync, Shell, Undo
from migrator.engine.run import CONFIRMED
from migrator.engine.suspension import REAL, SINCE
from migrator.errors import CommandFailed, GoBack, HostError, NotReady, VerifyFailed
from migrator.plan import CutoverPlan
from migrator.steps.base import Context, Phase, Question
from migrator.steps.common.opening import FLOWS
from tests.engine.bench import FILES, Bench, Killed, Probe, Relay, Survey, raising, told
from tests.fakes import NOON, FakeExecutor, World, kinds, make_plan

CUTOVER = CutoverPlan(budget=timedelta(seconds=10), overrun=3)


class Ahead(Survey):
    """Copy ahead of time."""

    name = "ahead"
    phase = Phase.PRESYNC
    after = "survey"

    def changes(self, context: Context) -> Iterator[Change]:
        if "ahead" not in context.memory:
            yield Change("note the pass", Note(), Undo.NOT_NEEDED, {"ahead": context.now().isoformat()})


class Suspending(Relay):
    """Let mail wait."""

    after = "ahead"
    suspends = "ahead"

    def question(self, _context: Context) -> Question:
        told = {"cutover.predicted.mail": "4.0", "cutover.predicted.mailboxes": "6.0"}
        return Question("mail waits 4 s", "measured here", told)


class Copy(Survey):
    """Copy what is left."""

    name = "copy"
    phase = Phase.CUTOVER
    after = "relay"
    proves = True

    def changes(self, context: Context) -> Iterator[Change]:
        if "copied" not in context.memory:
            yield Change("copy", Rsync((0,), delete=True), Undo.NOT_NEEDED, {"copied": "all"})


class Open(Survey):
    """Let mail go on."""

    name = "open"
    phase = Phase.CUTOVER
    after = "copy"
    reopens = ("mail", "mailboxes")

    def changes(self, context: Context) -> Iterator[Change]:
        if "opened" not in context.memory:
            yield Change("open", Shell("new", "open"), Undo.NOT_NEEDED, {"opened": "yes"})

    def verify(self, context: Context) -> None:
        context.sleep(100)  # what is measured once it is open keeps nobody waiting


class SlowExecutor(FakeExecutor):
    """Takes its time for each pass of rsync."""

    seconds = 0.0
    longest: float | None = None

    def execute(self, command: object) -> bool:
        if isinstance(command, Rsync):
            self.longest = command.longest
            self.world.clock.sleep(self.seconds)
        return super().execute(command)  # type: ignore[arg-type] # a command, whatever its kind


@pytest.fixture
def bench(bench: Bench) -> Bench:
    world = World(make_plan(cutover=CUTOVER))
    made = replace(bench, world=world, steps=(Survey(), Ahead(), Suspending(), Copy(), Open()))
    made.executor = SlowExecutor(world)
    return made


def slow(bench: Bench, seconds: float) -> SlowExecutor:
    assert isinstance(bench.executor, SlowExecutor)
    bench.executor.seconds = seconds
    return bench.executor


def expect_back(bench: Bench) -> None:
    """See that all is as before the cutover, and that a run begins it anew."""
    assert bench.world.old.files == {path: text.encode() for path, text in FILES.items()}
    assert not {CONFIRMED, SINCE, "ahead", "copied"} & set(bench.state.memory)
    assert not bench.state.going_back
    slow(bench, 0)
    again = kinds(bench.run())
    assert "step_skipped survey" in again
    assert "step_started ahead" in again
    assert bench.state.complete


def test_in_time_it_only_says_how_long_it_took(bench: Bench) -> None:
    slow(bench, 5)
    texts = [event.text for event in bench.run()]
    assert texts.index("from now on mail waits") < texts.index("write /etc/mail/mailertable")
    assert "mail waited 5.0 s (predicted 4.0 s), mailboxes were closed 5.0 s (predicted 6.0 s)" in texts
    assert bench.state.memory[REAL + "mail"] == "5.0"


def test_what_is_predicted_is_told_and_asked_with(bench: Bench) -> None:
    asked: list[str] = []
    bench.confirm = lambda told: not asked.append(told)  # type: ignore[func-returns-value]
    told = [event for event in bench.run() if event.text == "mail waits 4 s\nmeasured here"]
    assert [event.data["cutover.predicted.mail"] for event in told] == ["4.0"]
    assert asked == ["mail waits 4 s"]


def test_a_copy_gets_the_time_that_is_left(bench: Bench) -> None:
    executor = slow(bench, 5)
    bench.run()
    assert executor.longest == 30


def test_beyond_the_time_it_is_undone_and_begins_anew(bench: Bench) -> None:
    slow(bench, 31)
    with pytest.raises(GoBack, match=r"after 30 s .* in copy") as caught:
        bench.run()
    assert caught.value.exit_code == 1
    assert "cutover.budget" in (caught.value.advice or "")
    expect_back(bench)


def test_each_thing_undone_is_told_newest_first(bench: Bench) -> None:
    slow(bench, 31)
    recorded = [event.kind.value for event in told(bench, GoBack)]
    assert recorded[recorded.index("step_failed") :] == [
        "step_failed",
        "going_back",
        "change_undone",
        "step_undone",
        "went_back",
    ]


@pytest.mark.parametrize(
    "failure",
    [HostError("the time is up"), CommandFailed("rsync failed", status=30), VerifyFailed("unequal")],
)
def test_what_fails_when_the_time_is_over_is_said_on_the_way_back(bench: Bench, failure: Exception) -> None:
    def fail(context: Context) -> None:
        context.sleep(31)
        raise failure

    bench = replaced(bench, Probe(verify=fail))
    with pytest.raises(GoBack, match=str(failure)):
        bench.run()
    assert "/etc/mail/mailertable" not in bench.world.old.files


def test_what_fails_in_time_is_a_failure_as_ever(bench: Bench) -> None:
    bench = replaced(bench, Probe(verify=raising(VerifyFailed("unequal"), times=1)))
    with pytest.raises(VerifyFailed, match="unequal"):
        bench.run()
    bench.world.clock.sleep(3600)
    bench.run()  # a run that goes on has its time anew
    assert bench.state.complete


def test_what_takes_a_person_to_undo_has_all_the_time(bench: Bench) -> None:
    class Final(Copy):
        """Copy what is left."""

        def can_go_back(self, _context: Context) -> bool:
            return False

    bench.steps = (*bench.steps[:3], Final(), *bench.steps[4:])
    executor = slow(bench, 3600)
    bench.run()
    assert bench.state.complete
    assert executor.longest is not None
    assert executor.longest > 86400


def test_a_wait_ends_with_the_time(bench: Bench) -> None:
    never = raising(NotReady("the operator", until=NOON + timedelta(days=1)))
    bench = replaced(bench, Probe(ready=never))
    bench.wait = True
    with pytest.raises(GoBack, match="takes too long"):
        bench.run()
    assert bench.world.clock.now() < NOON + timedelta(minutes=2)


@pytest.mark.parametrize("lines", range(1, 9))
def test_killed_on_the_way_back_the_next_run_finishes_it(bench: Bench, lines: int) -> None:
    with suppress(Killed):
        bench.run(until="relay")
    slow(bench, 31)
    with suppress(GoBack, Killed):
        bench.run(kill_after=4 + lines)
    slow(bench, 0)
    if bench.state.going_back:
        with pytest.raises(GoBack, match="takes too long"):
            bench.run()
        expect_back(bench)
    else:
        bench.run()
    assert bench.state.complete


def test_a_rollback_takes_a_way_back_over_that_was_not_finished(bench: Bench) -> None:
    slow(bench, 31)
    bench.world.old.lost = False
    bench.run(until="relay")
    with suppress(Killed):
        bench.run(kill_after=7)
    assert bench.state.going_back
    bench.rollback()
    assert bench.world.old.files == {path: text.encode() for path, text in FILES.items()}
    assert not bench.state.going_back


def test_a_rehearsal_says_that_it_is_to_be_finished_first(bench: Bench) -> None:
    bench.run(until="relay")
    slow(bench, 31)
    with suppress(Killed):
        bench.run(kill_after=7)
    events, _ = bench.rehearse()
    assert any("finishes going back to ahead" in event.text for event in events)
    assert bench.state.going_back


def test_a_run_that_starts_over_keeps_its_time(bench: Bench) -> None:
    bench.run(until="relay")
    since = bench.state.memory[SINCE]
    assert since
    bench.run()
    assert bench.state.memory[SINCE] == since


def replaced(bench: Bench, probe: Probe) -> Bench:
    """Return the bench with a probe in place of the copy."""
    probe.proves = True  # type: ignore[misc] # of this one alone
    bench.steps = (*bench.steps[:3], probe, *bench.steps[4:])
    return bench


class Flowing(Open):
    """Let mail go on, of which the first message arrives a while after the port opened, and the rest much later."""

    def changes(self, context: Context) -> Iterator[Change]:
        yield from super().changes(context)
        if FLOWS not in context.memory:
            context.sleep(7)
            flows = {FLOWS: context.now().isoformat()}
            context.sleep(20)
            yield Change("what left", Note(), Undo.NOT_NEEDED, flows)

    def verify(self, _context: Context) -> None:
        """Nothing is measured."""

    def can_go_back(self, context: Context) -> bool:
        return FLOWS not in context.memory


def test_mail_waits_until_the_first_message_has_arrived_whenever_a_port_opened(bench: Bench) -> None:
    slow(bench, 5)
    bench.steps = (*bench.steps[:4], Flowing())
    bench.run()
    assert bench.state.memory[REAL + "mail"] == "12.0"
    assert bench.state.memory[REAL + "mailboxes"] == "32.0"


@pytest.mark.parametrize(("arrived", "back"), [(False, True), (True, False)])
def test_once_the_copy_is_proved_it_goes_back_until_mail_was_seen_to_arrive(
    bench: Bench, arrived: bool, back: bool
) -> None:
    class Failing(Flowing):
        """Let mail go on, and find in the end that something else is wrong."""

        def changes(self, context: Context) -> Iterator[Change]:
            if arrived:
                yield from super().changes(context)

        def verify(self, context: Context) -> None:
            context.sleep(61)
            raise VerifyFailed("something stays")

    slow(bench, 5)
    bench.steps = (*bench.steps[:4], Failing())
    with pytest.raises(GoBack if back else VerifyFailed, match="something stays"):
        bench.run()
