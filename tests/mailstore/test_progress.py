"""What rsync says is understood, and what it does not say is not made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mailstore.progress import Progress, Statistics, parse_items, parse_progress, parse_statistics

STATS = """
Number of files: 1,007 (reg: 1,004, dir: 3)
Number of created files: 6 (reg: 4, dir: 2)
Number of deleted files: 12
Number of regular files transferred: 1,004
Total file size: 3,000,010 bytes
Total transferred file size: 3,000,010 bytes
Literal data: 3,000,010 bytes
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "      3,000,010 100%   84.15MB/s    0:00:00 (xfr#4, to-chk=0/7)",
            Progress(3000010, 100, 84.15e6, 0),
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
