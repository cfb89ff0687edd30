"""What a cutover takes is told from the passes made so far, whatever stands in their file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mailstore.forecast import Forecast, Pass, in_words, parse, predict, shrinking
from migrator.mailstore.orchestration import Cost, Orchestration

ORCHESTRATION = Orchestration(
    waiting={"relay": Cost(10, 2.0)}, opening={"open-new": Cost(5, 1.0)}, sweeping=2.0
)
LINE = (
    "tree=0\tkind=changed\tdelete=0\tbegun=1796000000.250\tlook=0.500\tcompare=0.100\ttransfer=0.400"
    "\tentries=20000\tfetched=90\textra=10\tbytes=5000000"
)


def one(begun: float = 0.0, tree: int = 0, kind: str = "changed", **figures: float) -> Pass:
    known = {
        "look": 0.5,
        "compare": 0.1,
        "transfer": 0.4,
        "fetched": 0,
        "extra": 0,
        "bytes": 0,
        "entries": 20_000,
    }
    figures = known | figures
    return Pass(
        tree=tree,
        kind=kind,
        delete=0,
        begun=begun,
        look=figures["look"],
        compare=figures["compare"],
        transfer=figures["transfer"],
        entries=int(figures["entries"]),
        fetched=int(figures["fetched"]),
        extra=int(figures["extra"]),
        bytes=int(figures["bytes"]),
    )


def forecast(
    *passes: Pass, trees: int = 1, round_trip: float = 0.0, sessions: float = 0.0, together: int = 0
) -> Forecast:
    found = predict(
        passes,
        trees=trees,
        round_trip=round_trip,
        orchestration=ORCHESTRATION,
        sessions=sessions,
        together=together,
    )
    assert found is not None
    return found


class TestParse:
    def test_a_line_is_a_pass(self) -> None:
        (found,) = parse(f"{LINE}\n")
        assert (found.tree, found.kind, found.begun, found.entries) == (0, "changed", 1796000000.25, 20_000)
        assert found.seconds == pytest.approx(1.0)
        assert found.changes == 100

    @pytest.mark.parametrize(
        ("whole", "broken"),
        [
            ("look=0.500", "look=-1"),
            ("look=0.500", "look=nan"),
            ("look=0.500", "look=1e9"),
            ("entries=20000", "entries=2.5"),
            ("entries=20000", "entries=²"),
            ("kind=changed", "kind=other"),
            ("\tbytes=5000000", ""),
        ],
    )
    def test_a_line_that_is_not_whole_is_none(self, whole: str, broken: str) -> None:
        assert len(parse(f"{LINE}\n{LINE.replace(whole, broken)}\n")) == 1

    def test_changes_are_what_was_counted_as_such_and_else_the_names(self) -> None:
        (found,) = parse(f"{LINE}\tchanges=40\n")
        assert (found.changes, found.names) == (40, 100)
        assert parse(f"{LINE}\tchanges=-4\n")[0].changes == 100

    def test_words_that_came_later_do_no_harm(self) -> None:
        assert len(parse(f"{LINE}\tfolders=12\n")) == 1

    @given(st.text())
    def test_whatever_stands_there_nothing_is_raised(self, text: str) -> None:
        assert parse(text + "\n" + LINE)[-1:] == parse(LINE)

    @given(st.lists(st.sampled_from(["tree", "kind", "look", "begun", "=", "\t", "\n", "9", ".", "changed"])))
    def test_nor_by_what_comes_close_to_a_line(self, parts: list[str]) -> None:
        assert all(found.seconds >= 0 for found in parse("".join(parts)))


class TestPredict:
    def test_nothing_is_known_before_every_tree_was_passed_over_twice(self) -> None:
        passes = [one(0, kind="whole"), one(0, tree=1, kind="whole"), one(60)]
        assert predict(passes, trees=2, round_trip=0.0, orchestration=ORCHESTRATION) is None

    def test_a_store_that_rests_costs_its_looks_and_the_commands(self) -> None:
        found = forecast(one(0, kind="whole"), one(60, transfer=0.0), round_trip=0.1)
        assert found.copy == pytest.approx(0.6)
        assert found.proof == pytest.approx(0.6)
        assert found.mail == pytest.approx(1.2 + (10 + 2) * 0.1 + 2.0)
        assert found.mailboxes == pytest.approx(found.mail + 5 * 0.1 + 1.0)
        assert found.entries_a_second == pytest.approx(40_000)
        assert found.commands == 15 + 2

    def test_what_changed_is_copied_of_all_trees_at_once_so_the_slowest_counts(self) -> None:
        slow = forecast(one(0), one(60, look=3.0))
        both = forecast(one(0), one(0, tree=1), one(60, look=3.0), one(60, tree=1), trees=2)
        assert both.copy == pytest.approx(slow.copy)

    def test_many_trees_together_cost_what_changed_in_each_and_gather_more_while_they_are_swept(self) -> None:
        passes = [one(0), one(300, fetched=60, transfer=1.03)]
        single = forecast(*passes)
        rest = [
            one(begun, tree=tree, look=0, compare=0, transfer=0, entries=0)
            for tree in range(1, 2000)
            for begun in (0, 300)
        ]
        many = forecast(*passes, *rest, trees=2000, together=2000)
        # In 300 s 60 names changed, so in the 180 s of the sweep nearly 40 do, of which few are of one tree.
        assert many.copy - single.copy == pytest.approx(-0.2, abs=0.15)
        assert many.proof == pytest.approx(many.copy)

    def test_the_first_copy_of_many_trees_tells_the_rate_of_the_line_without_their_rsyncs(self) -> None:
        first, then = one(0, kind="whole", transfer=110.0, bytes=200_000_000), one(60)
        rest = [one(begun, tree=tree, look=0, entries=0) for tree in range(1, 2000) for begun in (0, 60)]
        assert forecast(first, then).bytes_a_second == pytest.approx(200e6 / 110)
        found = forecast(first, then, *rest, trees=2000, together=2000)
        assert found.bytes_a_second == pytest.approx(200e6 / 22)

    def test_a_tree_that_is_looked_at_as_a_whole_comes_after_the_others(self) -> None:
        long = one(60, tree=1, kind="whole", look=0.0, compare=0.0, transfer=7.0)
        single = forecast(one(0), one(60))
        both = forecast(one(0), one(0, tree=1, kind="whole"), one(60), long, trees=2)
        assert both.copy == pytest.approx(single.copy + 7.0)

    def test_while_a_large_store_is_swept_more_changes(self) -> None:
        last = one(60, fetched=6000, transfer=3.3)
        small, large = (forecast(one(0, kind="whole", entries=names), last) for names in (20_000, 1_000_000))
        assert large.copy > small.copy + 1.0

    def test_sessions_that_are_open_are_waited_for(self) -> None:
        assert forecast(one(0), one(60), sessions=5.0).mail == pytest.approx(
            forecast(one(0), one(60)).mail + 5.0
        )

    def test_the_more_changes_the_longer_the_copy(self) -> None:
        few = forecast(one(0, kind="whole"), one(60, fetched=60, transfer=0.4))
        many = forecast(one(0, kind="whole"), one(60, fetched=60_000, transfer=30.0))
        assert few.copy < many.copy
        assert many.changes_a_second == pytest.approx(1000)
        assert many.mailboxes > few.mailboxes

    def test_the_rate_of_the_line_is_that_of_the_pass_that_moved_most(self) -> None:
        whole = one(0, kind="whole", transfer=10.0, bytes=100_000_000)
        found = forecast(whole, one(60, fetched=10, transfer=2.3, bytes=20_000_000))
        assert found.bytes_a_second == pytest.approx(10e6)
        assert "10.0 MB/s" in found.basis()
        assert found.copy == pytest.approx(0.6 + 0.3, abs=0.5)

    def test_a_tree_that_is_always_looked_at_as_a_whole_takes_as_long_again(self) -> None:
        found = forecast(one(0, kind="whole"), one(60, kind="whole", look=0.0, compare=0.0, transfer=7.0))
        assert found.copy == pytest.approx(7.0)

    def test_a_clock_that_was_set_back_harms_no_division(self) -> None:
        assert forecast(one(60), one(0, fetched=5)).changes_a_second == pytest.approx(5)

    @given(
        st.lists(
            st.builds(one, st.floats(0, 1e6), fetched=st.integers(0, 10**6), transfer=st.floats(0, 1e5)),
            min_size=2,
        )
    )
    def test_no_prediction_is_less_than_what_the_commands_take(self, passes: list[Pass]) -> None:
        found = forecast(*passes, round_trip=0.05)
        assert found.mailboxes >= found.mail >= 2.5


class TestWords:
    def test_they_name_both_times_and_the_budget(self) -> None:
        found = forecast(one(0), one(60, transfer=0.0))
        assert found.words(timedelta(seconds=60)) == (
            "if you cut over now, mail waits 3 s and mailboxes are closed for 4 s (budget 60 s)"
        )
        assert "20,000 entries looked at (40,000 a second)" in found.basis()
        assert "no rate measured yet" in found.basis()

    def test_the_budget_is_for_the_mailboxes(self) -> None:
        found = forecast(one(0), one(60))
        assert found.fits(timedelta(seconds=found.mailboxes + 0.1))
        assert not found.fits(timedelta(seconds=found.mailboxes - 0.1))

    @pytest.mark.parametrize(("seconds", "words"), [(0.0, "1 s"), (4.4, "4 s"), (3600.0, "3,600 s")])
    def test_seconds_are_whole_and_never_none(self, seconds: float, words: str) -> None:
        assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((), True), ((100,), True), ((100, 3), True), ((100, 3, 2.9), False), ((3, 5), False)],
)
def test_passes_shrink_until_one_is_no_fifth_shorter(seconds: tuple[float, ...], expected: bool) -> None:
    passes = [one(number, look=0.0, compare=0.0, transfer=took) for number, took in enumerate(seconds)]
    assert shrinking(passes) is expected
