"""A dry run shows every change, makes none, and says what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from migrator.change import Change, Note, Undo
from migrator.engine import Rehearsal
from migrator.errors import (
    NotReady,
    Refused,
    VerifyFailed,
)
from migrator.event import Kind
from migrator.steps.base import Context
from tests.engine.bench import (
    Bench,
    Probe,
    Survey,
    raising,
    with_step,
)
from tests.fakes import NOON, FakeDryRun, kinds


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

    def test_a_note_of_what_comes_after_a_change_is_only_previewed(self, bench: Bench) -> None:
        class Farewell(Survey):
            """Say what is left to do."""

            name = "farewell"

            def changes(self, context: Context) -> Iterator[Change]:
                yield Change("by hand: watch the log", Note(), Undo.NOT_NEEDED, {"farewell": "said"})

        events, _ = with_step(bench, Farewell(), at=3).rehearse()
        told = [event for event in events if event.step == "farewell"]
        assert [event.kind for event in told][1:] == [Kind.CHANGE_PREVIEW, Kind.CHECK_OPEN]
        assert told[1].data["summary"] == "note: by hand: watch the log"

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

    def test_nobody_waits_for_a_step_that_polls(self, bench: Bench) -> None:
        def poll(context: Context) -> None:
            end = context.now() + timedelta(minutes=2)
            while context.now() < end:
                context.sleep(1.0)
            raise VerifyFailed("nothing came")

        _, exit_code = with_step(bench, Probe(verify=poll)).rehearse()
        assert exit_code == 1
        assert bench.world.clock.slept == []

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
