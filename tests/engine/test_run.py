"""A run performs what steps yield, asks once, waits, starts over, and says what failed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.engine import Engine
from migrator.errors import (
    CommandFailed,
    HostError,
    Interrupted,
    NotReady,
    Refused,
    StartOver,
    UsageError,
    VerifyFailed,
)
from migrator.event import Kind
from migrator.journal import Journal
from tests.engine.bench import (
    FAILED,
    STEPS,
    WHOLE_RUN,
    Bench,
    Killed,
    Probe,
    Relay,
    raising,
    refuse,
    told,
    with_step,
)
from tests.fakes import NOON, kinds


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

    def test_a_finished_step_that_wants_it_is_done_again_and_no_other(self, bench: Bench) -> None:
        probe = Probe()
        bench = with_step(bench, probe, at=3)
        bench.run()
        asked = len(probe.asked)
        assert "step_skipped probe" in kinds(bench.run())
        assert len(probe.asked) == asked
        probe.again = lambda context: "seen" in context.memory  # type: ignore[method-assign]
        assert kinds(bench.run())[-3:] == ["step_started probe", "step_done probe", "run_done"]
        assert len(probe.asked) > asked

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

        def confirm(_told: str) -> bool:
            asked.append([name for name in bench.state.steps if bench.state.finished(name)])
            return True

        bench = replace(bench, confirm=confirm)
        bench.run(until="relay")
        bench.run()
        assert asked == [["survey"]]

    def test_no_means_that_nothing_was_moved(self, bench: Bench) -> None:
        bench = replace(bench, confirm=lambda _told: False)
        with pytest.raises(Refused, match="No mail was moved") as caught:
            bench.run()
        assert caught.value.exit_code == 3
        assert "/etc/mail/mailertable" not in bench.world.old.files
        replace(bench, world=bench.world, confirm=lambda _told: True).run()
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

    def test_a_deed_that_falls_short_is_an_attempt_as_well(self, bench: Bench) -> None:
        probe = Probe(changes=raising(VerifyFailed("files vanished"), times=1))
        probe.attempts = 2  # type: ignore[misc] # this one step only
        with_step(bench, probe).run()
        assert probe.asked == ["ready", "changes", "changes", "verify"]

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

    @pytest.mark.parametrize(("jump", "slept"), [(1, [60]), (-1, [60, 60, 30])])
    def test_a_clock_that_jumps_an_hour_makes_it_sleep_no_longer(
        self, bench: Bench, jump: int, slept: list[float]
    ) -> None:
        bench = replace(bench, wait=True)
        clock, sleep = bench.world.clock, bench.world.clock.sleep

        def jumping(seconds: float) -> None:
            sleep(seconds)
            clock.time += timedelta(hours=jump) if len(clock.slept) == 1 else timedelta()

        bench.world.clock.sleep = jumping  # type: ignore[method-assign]
        with_step(
            bench, Probe(ready=raising(NotReady("TTL", until=NOON + timedelta(seconds=150)), times=1))
        ).run()
        assert clock.slept == slept

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

        def confirm(_told: str) -> bool:
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
