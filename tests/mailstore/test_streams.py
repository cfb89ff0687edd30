"""Several streams copy what one would, each name once, and say together what one would say."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from migrator.mailstore import streams
from migrator.mailstore.progress import parse_progress, parse_statistics

MEGABYTE = 1_000_000

# In the place of rsync: notes its stream and its names, and takes its time.
COPY = r"""
copied() { # stream options
    stream=$1; shift
    names=
    for word; do case $word in --include-from=*) names=${word#*=} ;; esac; done
    if [ -z "$names" ]; then printf 'whole %s\n' "$*" >>"$work/log"; else
        # In one piece, for streams write beside each other.
        printf '%s %s\n' "$stream" "$(tr '\n\000' '|\n' <"$names" | tr '\n' ' ')" >>"$work/log"
    fi
    printf '\r        50,000,000  50%%    9.99MB/s    0:00:01 (xfr#1)'
    sleep @TAKES@
    printf '\r       100,000,000 100%%    9.99MB/s    0:00:01 (xfr#2)\n\n'
    printf 'Number of files: 1,002 (reg: 1,000, dir: 2)\nNumber of regular files transferred: 1,000\n'
    printf 'Total transferred file size: 100,000,000 bytes\nLiteral data: 100,000,000 bytes\n'
    case $names in *@FAILS@.names) echo 'rsync says why' >&2; return @STATUS@ ;; esac
}
copy_all() { copied 1 "$@"; }
copy_beside() { copied 2 "$@"; }
able_there() { echo "0.10 @THERE@"; echo xattrs; }
getconf() { echo @HERE@; }
"""


class Copying:
    """The outcome of a copy by streams, of entries with these sizes."""

    def __init__(
        self,
        work: Path,
        sizes: dict[str, int],
        *,
        most: int | str = 4,
        here: int = 2,
        there: int | str = 2,
        takes: float = 0,
        fails: str = "none",
        status: int = 0,
    ) -> None:
        entries = "".join(f"{size}\t./{name}\0" for name, size in sizes.items())
        (work / "told").write_bytes(entries.encode("utf-8", "surrogateescape"))
        values = {"TAKES": takes, "FAILS": fails, "STATUS": status, "THERE": there, "HERE": here}
        text = COPY
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        script = f"LC_ALL=C; export LC_ALL; work={work}\n{streams.functions()}{text}"
        script += f"sizes_there() {{ cat {work}/told; }}\ncopy_streams {most} --checksum\n"
        done = subprocess.run(
            ["sh", "-c", script],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
        self.status, self.said, self.errors = done.returncode, done.stdout, done.stderr
        lines = (work / "log").read_text("utf-8", "surrogateescape").splitlines()
        self.parts = [line.split(" ")[1:-1] for line in lines if not line.startswith("whole")]
        self.whole = [line for line in lines if line.startswith("whole")]
        self.streams = {line.split()[0] for line in lines}


def test_each_name_is_copied_once_and_the_largest_first(tmp_path: Path) -> None:
    sizes = {f"user{number}": number * 40 * MEGABYTE for number in range(1, 9)}
    done = Copying(tmp_path, sizes)
    assert done.status == 0, done.errors
    assert sorted(name for part in done.parts for name in part) == sorted(f"/{name}" for name in sizes)
    assert done.parts[0] == ["/user8"]
    assert not done.whole


def test_small_entries_are_copied_together(tmp_path: Path) -> None:
    done = Copying(tmp_path, {f"user{number:04}": MEGABYTE // 2 for number in range(1000)})
    assert 5 < len(done.parts) < streams.MOST_PARTS
    assert sum(map(len, done.parts)) == 1000


def test_another_stream_joins_where_it_makes_the_whole_quicker(tmp_path: Path) -> None:
    done = Copying(tmp_path, dict.fromkeys("abcdefgh", 100 * MEGABYTE), takes=1.5)
    assert done.streams == {"1", "2"}


@pytest.mark.parametrize(
    "limits",
    [{"most": 1}, {"here": 1}, {"there": 1}, {"most": "auto", "here": 1, "there": 8}, {"there": "many"}],
)
def test_where_there_is_only_one_it_is_one_rsync(tmp_path: Path, limits: dict[str, Any]) -> None:
    done = Copying(tmp_path, dict.fromkeys("abcd", 100 * MEGABYTE), **limits)
    assert (done.status, done.whole, done.parts) == (0, ["whole --checksum"], [])
    assert parse_statistics(done.said.replace("\r", "\n")).copied == 1000


def test_each_processor_of_the_lesser_host_may_have_a_stream(tmp_path: Path) -> None:
    sizes = dict.fromkeys("abcd", 100 * MEGABYTE)
    assert len(Copying(tmp_path, sizes, most="auto", here=4, there=2).parts) == 4


@pytest.mark.parametrize("sizes", [{}, {"one": 10_000 * MEGABYTE}, {"a": 5, "b": 5}])
def test_what_cannot_be_parted_is_one_rsync(tmp_path: Path, sizes: dict[str, int]) -> None:
    assert Copying(tmp_path, sizes).whole == ["whole --checksum"]


def test_what_all_streams_did_is_told_as_one_would(tmp_path: Path) -> None:
    done = Copying(tmp_path, dict.fromkeys("abcd", 100 * MEGABYTE), takes=0.6)
    told = parse_statistics(done.said)
    assert (told.files, told.copied, told.size) == (4008, 4000, 400 * MEGABYTE)
    assert "Literal data: 400000000 bytes\n" in done.said
    progress = [one for line in done.said.splitlines() if (one := parse_progress(line))]
    assert progress
    assert [one.size for one in progress] == sorted(one.size for one in progress)
    assert all(one.size <= 400 * MEGABYTE and one.percent <= 100 for one in progress)


@pytest.mark.parametrize("status", [23, 24, 255])
def test_one_stream_that_fails_is_a_failure_of_all(tmp_path: Path, status: int) -> None:
    done = Copying(tmp_path, dict.fromkeys("abcd", 100 * MEGABYTE), fails="part-003", status=status)
    assert (done.status, done.errors) == (status, "rsync says why\n")
    assert len(done.parts) == 4


def test_an_rsync_alone_fails_as_it_does(tmp_path: Path) -> None:
    script = f"work={tmp_path}\n{streams.functions()}copy_all() {{ return 12; }}\ncopy_streams 1\n"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 12


def test_names_that_rsync_would_take_for_patterns_are_names(tmp_path: Path) -> None:
    sizes = dict.fromkeys(
        ("a*b", "c[d]\\e", "back\\slash", "new\nline", "-rf", "caf\udce9", "#x"), 100 * MEGABYTE
    )
    done = Copying(tmp_path, sizes)
    wanted = {"/a\\*b", "/c\\[d]\\\\e", "/back\\slash", "/new|line", "/-rf", "/caf\udce9", "/#x"}
    assert {name for part in done.parts for name in part} == wanted
