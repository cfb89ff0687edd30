"""What rsync says is understood, and what it does not say is not made up."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mailstore import progress
from migrator.mailstore.progress import (
    Progress,
    Statistics,
    parse_items,
    parse_progress,
    parse_size,
    parse_statistics,
)
from tests.hosts.shell import SHELLS

STATS = """
Number of files: 1,007 (reg: 1,004, dir: 3)
Number of created files: 6 (reg: 4, dir: 2)
Number of deleted files: 12
Number of regular files transferred: 1,004
Total file size: 3,000,010 bytes
Total transferred file size: 3,000,010 bytes
Literal data: 3,000,010 bytes
"""


def test_a_size_is_told_by_the_number_of_its_tree_and_nothing_else_is_one() -> None:
    assert parse_size("size 2 3000010\n") == (2, 3000010)
    assert parse_size("size 2") is parse_size("size 2 3 4") is parse_size("size -1 3") is None


def test_what_is_left_is_told_in_hours_minutes_and_seconds() -> None:
    assert Progress(0, 0, 0.0, 3_725).left == "1:02:05"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "      3,000,010 100%   84.15MB/s    0:00:00 (xfr#4, to-chk=0/7)",
            Progress(3000010, 100, 84.15e6, 0, 4),
        ),
        ("  1,238,099  50%  146.38kB/s    1:02:08", Progress(1238099, 50, 146380.0, 3728)),
        ("              0   0%    0.00kB/s    0:00:00", Progress(0, 0, 0.0, 0)),
        ("  1.238.099  50%  146,38kB/s    0:00:08", Progress(1238099, 50, 146380.0, 8)),
        ("sent 120 bytes  received 3,001,106 bytes", None),
        ("50% of nothing", None),
        ("", None),
    ],
)
def test_progress_lines_are_read_and_others_are_not(line: str, wanted: Progress | None) -> None:
    found = parse_progress(line)
    assert found == wanted


def test_statistics_are_counted() -> None:
    assert parse_statistics(STATS) == Statistics(files=1007, copied=1004, deleted=12, size=3000010)
    assert parse_statistics("") == Statistics()
    assert str(parse_statistics(STATS)) == "1004 of 1007 files to copy, 3000010 bytes; 12 to delete"


def test_differences_are_the_lines_that_name_one() -> None:
    lines = [
        "created directory /srv/t",
        "cd+++++++++ ./",
        ">f+++++++++ new/1.$(id)",
        ">fcst...... mbox with spaces",
        ".f....og... owner",
        ".d..t...... cur/",
        ".d...p..... cur/",
        "cL+++++++++ link -> target",
        "*deleting   new/2",
        "hf+++++++++ a => b",
        "rsync: some complaint",
    ]
    named = [line for line in lines if line[:2] in ("cd", ">f", ".f", "cL", "*d", "hf")] + [
        ".d...p..... cur/"
    ]
    assert sorted(parse_items("\n".join(lines))) == sorted(named)
    assert parse_items("") == ()


@given(st.text())
def test_arbitrary_text_is_borne(text: str) -> None:
    parse_progress(text)
    parse_statistics(text)
    assert all(line in text for line in parse_items(text))


class TestTelling:
    """Of what rsync tells after every file, as much is passed on as somebody can read."""

    def told(self, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
        script = f"{progress.TELL}telling {folder}/printed sh -c '{command}'\n"
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)

    def test_progress_is_told_while_it_lasts_and_at_the_end(self, tmp_path: Path) -> None:
        line = "{},000  10%%    1.00MB/s    0:00:01"
        done = self.told(
            tmp_path, f'printf "\\r{line.format(1)}"; sleep 1.5; printf "\\r{line.format(2)}\\n"'
        )
        assert [one.size for text in done.stdout.split("\n") if (one := parse_progress(text))] == [1000, 2000]

    def test_the_figures_come_through_and_nothing_before_them(self, tmp_path: Path) -> None:
        done = self.told(
            tmp_path, 'echo ">f+++++++++"; printf "\\nNumber of files: 3\\nLiteral data: 5 bytes\\n"'
        )
        assert done.stdout == "Number of files: 3\nLiteral data: 5 bytes\n"
        assert self.told(tmp_path, ":").stdout == ""

    def test_of_what_rsync_printed_the_end_is_left_for_awk_takes_it_for_one_line(
        self, tmp_path: Path
    ) -> None:
        line = "1,000  10%%    1.00MB/s    0:00:01"
        done = self.told(
            tmp_path, f'yes "$(printf "\r{line}")" | head -c 3000000; printf "\nNumber of files: 3\n"'
        )
        assert done.stdout.endswith("Number of files: 3\n")
        assert (tmp_path / "printed").stat().st_size <= 4000

    def test_how_large_all_trees_are_is_told_once_when_it_is_known(self, tmp_path: Path) -> None:
        sizes = tmp_path / "sizes"
        script = f"sizes={sizes}\n{progress.TELL}telling {tmp_path}/printed sh -c 'echo size 0 7 >{sizes}; sleep 3.5'\n"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "size 0 7\n"

    def test_the_status_and_the_errors_are_those_of_rsync(self, tmp_path: Path) -> None:
        done = self.told(tmp_path, "echo why >&2; exit 23")
        assert (done.returncode, done.stderr) == (23, "why\n")


class TestAccount:
    """All trees together."""

    def test_it_counts_what_was_copied_of_each(self) -> None:
        account = progress.Account({0: 1000, 1: 3000}, began=100.0).with_copied(0, 1000).with_copied(1, 500)
        assert account.with_copied(1, 1000).overall(110.0) == progress.Progress(2000, 50, 200.0, 10)

    def test_a_tree_that_grew_meanwhile_is_as_large_as_what_came(self) -> None:
        assert progress.Account({0: 10}).with_copied(0, 20).overall(1.0).percent == 100

    def test_before_anything_came_nothing_is_known(self) -> None:
        assert progress.Account({0: 10}).overall(0.0) == progress.Progress(0, 0, 0.0, 0)
        assert progress.Account({}).overall(0.0).percent == 100


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\x0b", "\x1c", "\xa0", "\u3000"])
def test_a_name_that_differs_is_told_whole_whatever_python_takes_for_a_blank(mark: str) -> None:
    items = (f">f.st...... a{mark}b", f">f.st...... {mark}c")
    assert parse_items("\n".join(items) + "\n") == items


@pytest.mark.parametrize("shell", SHELLS)
def test_whoever_tells_ends_with_a_command_that_ended_at_once(tmp_path: Path, shell: str) -> None:
    often = f"for n in $(seq 400); do telling {tmp_path}/said false; done\n"
    script = f"{progress.TELL}sizes=\ntrap 'exit 143' TERM\n{often}"
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
