"""Several trees in one script: each tells its own, and none waits for what another leaves running."""

from __future__ import annotations

import subprocess
import time

from hypothesis import given
from hypothesis import strategies as st

from migrator.mailstore.together import Told, labelled, parse, together


def told(bodies: dict[int, str], opening: str = "") -> dict[int, Told]:
    script = together(opening, bodies)
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return dict(parse(done.stdout, bodies))


def test_each_tree_tells_what_it_printed_its_errors_and_how_it_ended() -> None:
    found = told({0: "echo one\necho two", 7: "echo three\necho why >&2\nexit 76"})
    assert found == {0: Told(0, "one\ntwo\n", ""), 7: Told(76, "three\n", "why\n")}


def test_what_comes_first_is_there_for_all_and_what_one_sets_is_its_own() -> None:
    found = told({0: "mine=$both; echo $mine", 1: "echo $both$mine"}, opening="both=shared\n")
    assert [found[tree].stdout for tree in (0, 1)] == ["shared\n", "shared\n"]


def test_they_go_on_at_once() -> None:
    began = time.monotonic()
    told(dict.fromkeys(range(4), "sleep 0.5"))
    assert time.monotonic() - began < 1.5


def test_what_outlives_a_tree_is_not_waited_for() -> None:
    began = time.monotonic()
    assert told({0: "sleep 5 >/dev/null 2>&1 </dev/null &\necho done"})[0].stdout == "done\n"
    assert time.monotonic() - began < 3


def test_text_without_its_last_newline_backslashes_and_blanks_come_through() -> None:
    assert told({0: r"printf '  a\\b %s\t'"})[0].stdout == "  a\\b %s\t\n".replace("%s", "")


def test_what_tells_nothing_of_its_end_has_not_succeeded() -> None:
    assert parse("0 out one\n1 status later\n", [0, 1, 2]) == {
        0: Told(-1, "one\n", ""),
        1: Told(-1, "", ""),
        2: Told(-1, "", ""),
    }


def test_lines_are_handed_to_the_reader_of_their_tree() -> None:
    lines: list[str] = []
    read = labelled({1: lines.append})
    for line in ("1 out size 1 5\n", "0 out other", "1 said why", "1 status 0", "noise"):
        read(line)
    assert lines == ["size 1 5"]


@given(st.text())
def test_arbitrary_text_is_borne(text: str) -> None:
    assert set(parse(text, range(3))) == {0, 1, 2}
    labelled({})(text)
