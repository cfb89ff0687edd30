"""The faults in parts: every test is in one, and the page says which parts were run, when, and what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults import table
from tests.faults.parts import Part, Result, kept

NAMES = [f"tests/faults/test_{letter}.py::test_{number}" for letter in "cab" for number in range(9)]


def row(fault: str, tried: int = 1) -> dict[str, Any]:
    losses = {"lost": 0, "stranded": 0, "doubled": 0, "other": 0}
    return {
        **{"fault": fault, "tried": tried, "kills": 0, "accepted": 10, "happened": ["it went on"]},
        **{"losses": losses, "left_closed": 0},
    }


def result(number: int, of: int, *rows: dict[str, Any], failed: tuple[str, ...] = ()) -> Result:
    return Result(Part(number, of), rows, len(rows), failed, 600.0, "Linux x86_64", "2026-11-30")


@pytest.mark.parametrize("of", [1, 2, 4, 5])
def test_every_test_is_in_one_part_and_no_part_is_much_larger(of: int) -> None:
    parts = [Part(number, of).takes(NAMES) for number in range(1, of + 1)]
    assert sorted(name for part in parts for name in part) == sorted(NAMES)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_the_order_in_which_tests_are_found_does_not_matter() -> None:
    assert Part(2, 3).takes(NAMES) == Part(2, 3).takes(NAMES[::-1])


def test_a_part_is_named_by_its_number_and_their_number() -> None:
    assert Part.parse("2/4") == Part(2, 4)


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", " 1/4"])
def test_another_word_is_no_part(text: str) -> None:
    with pytest.raises(ValueError, match="no part"):
        Part.parse(text)


def test_a_part_that_is_run_again_takes_the_place_of_its_earlier_result(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    result(1, 2, row("a fault"), failed=("test_a",)).keep(folder)
    result(1, 2, row("a fault")).keep(folder)
    result(2, 2, row("another fault")).keep(folder)
    result(1, 1, row("all of them at once")).keep(folder)
    assert kept(folder, 2) == [result(1, 2, row("a fault")), result(2, 2, row("another fault"))]


def test_the_page_has_the_rows_of_all_parts_and_says_what_failed_and_what_was_not_run() -> None:
    told = table.page([result(1, 3, row("b", 2)), result(2, 3, row("a"), row("b"), failed=("test_a",))], 3)
    assert "- Part 1 of 3, 2026-11-30: 1 tests in 10 minutes, every one passed." in told
    assert "- Part 2 of 3, 2026-11-30: 2 tests in 10 minutes, **1 failed**: test_a." in told
    assert "- Part 3 of 3 was **not run**." in told
    assert [line.split(" | ")[:2] for line in told.split("\n") if line.startswith(("| a ", "| b "))] == [
        ["| a", "1"],
        ["| b", "3"],
    ]
    assert "4 faults, 0 kills among them; 30 messages to account for" in told
