"""Whatever happens to a tree, what a look names is all that has to be copied: proved against a full comparison."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from migrator.mailstore import notes
from tests.mailstore import trees
from tests.mailstore.hosts_of_trees import Pair

Acts = list[tuple[str, int, int]]
History = list[tuple[Acts, Acts]]

act = st.tuples(st.sampled_from(sorted(trees.ACTS)), st.integers(0, 60), st.integers(0, 60))
acts = st.lists(act, max_size=8)
rounds = st.lists(st.tuples(acts, st.one_of(st.just([]), acts)), min_size=1, max_size=3)
# The usual margins; all that is young, and what an earlier pass brought of it; and ones as short as a test's pauses.
margins = st.sampled_from([(300.0, 2.0), (300.0, 0.05), (300.0, 0.05), (0.05, 0.05)])
# Shrinking would take minutes: each example starts some fifty processes. A seed and a round tell enough.
few = settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def begin(base: Path, chosen: tuple[float, float], prepared: Acts) -> tuple[Pair, trees.Store]:
    pair = Pair(base, margin=chosen[0], slack=chosen[1])
    store = trees.Store(pair.old)
    for name, first, second in prepared:
        store.act(name, first, second)
    return pair, store


def happen(store: trees.Store, what: Acts) -> None:
    for name, first, second in what:
        store.act(name, first, second)


def rest(pair: Pair) -> None:
    if pair.slack < 1:
        time.sleep(0.07)


@few
@given(margins, acts, rounds, st.booleans())
def test_a_pass_that_deletes_leaves_the_trees_equal(
    chosen: tuple[float, float], prepared: Acts, history: History, kept: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair, store = begin(Path(folder), chosen, prepared)
        rest(pair)
        pair.whole(delete=True)
        for before, during in [*history, ([], [])]:
            happen(store, before)
            status = pair.look("exact T1")
            happen(store, during)
            if status == notes.ODD:
                event("only a whole pass can tell")
                pair.whole(delete=True)
            else:
                assert status == 0
                pair.copy(delete=True)
                if kept:
                    assert pair.there("look keep both T1").returncode == 0
            if not during:
                assert trees.told(pair.new) == trees.told(pair.old)
            rest(pair)


@few
@given(margins, acts, rounds)
def test_a_pass_that_does_not_delete_brings_all_that_the_old_host_has(
    chosen: tuple[float, float], prepared: Acts, history: History
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair, store = begin(Path(folder), chosen, prepared)
        rest(pair)
        pair.whole(delete=False, bases="seen -")
        for before, during in [*history, ([], [])]:
            happen(store, before)
            status = pair.look("seen -")
            happen(store, during)
            if status == notes.ODD:
                event("only a whole pass can tell")
                pair.whole(delete=False, bases="seen -")
            else:
                assert status == 0
                pair.copy(delete=False)
                assert pair.there("look keep seen -").returncode == 0
            if not during:
                there, here = trees.told(pair.old), trees.told(pair.new)
                assert {path: here.get(path, ())[:4] for path in there} == {
                    path: facts[:4] for path, facts in there.items()
                }
            rest(pair)
