"""What rsync says: how far it is, what it did, what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from migrator import host_text

_PROGRESS = re.compile(
    r"\s*([\d,.]{1,30})\s+(\d{1,3})%\s+([\d.,]{1,30})(B|kB|MB|GB|TB)/s\s+(\d{1,9}:\d\d:\d\d)(?:\s+\(xfr#(\d{1,15})|\s|$)",
    re.ASCII,
)
_STATISTIC = re.compile(r"(?:Number of|Total) ([a-z ]{1,40}): ([\d,.]{1,30})", re.ASCII)
_ITEM = re.compile(
    r"(?:[<>ch.*][fdLDS][cstpoguaxbTn.+?]{9}|\*deleting  ?|[<>ch.][fdLDS]\S{5,12}) (.+)",
    re.DOTALL | re.ASCII,
)
TELL = r"""telling() { # file, command: what it prints goes into the file, its progress is told, at the end its figures
    printed=$1
    shift
    : >"$printed" || return 1
    # Its sleep outlives it, and must not hold the lock of the migration meanwhile (hosts/script.py).
    ( exec 9>&-; tell_from "$printed" ) &
    teller=$!
    "$@" >>"$printed"
    told=$?
    # Not by a signal that is trapped here: between its fork and its first step the teller would drop it.
    kill -s KILL $teller 2>/dev/null
    wait $teller 2>/dev/null
    # All of it is one line to awk, whose time grows with the square of a line's length.
    tail -c 4000 "$printed" >"$printed.end" && mv "$printed.end" "$printed"
    tr '\r' '\n' <"$printed" | last_progress
    tr '\r' '\n' <"$printed" | sed -n '/^Number of files: /,$p'
    return $told
}
last_progress() { grep -E '^ *[0-9][0-9.,]* +[0-9]+%' | tail -n 1; }
tell_from() { # file: rsync tells of its progress after each file, however small; what was told needs no room any more
    while sleep 1 </dev/null >/dev/null 2>&1; do
        if [ -s "$sizes" ]; then cat "$sizes" && sizes=; fi
        tail -c 400 "$1" | tr '\r' '\n' | last_progress
        length=$(wc -c <"$1")
        if [ "$length" -gt 1000000 ]; then
            fallocate --punch-hole --length $(((length - 8192) / 4096 * 4096)) "$1" >/dev/null 2>&1
        fi
    done
}
"""
"""sh text that defines `telling FILE COMMAND…` for an rsync with --info=progress2 --stats; it returns its status.

What the file `sizes` names is told once, when it is there. Of what the rsync printed its end is left in FILE.

Through a pipe to a filter each of a million lines would wake two processes more.
"""

_SCALE = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass is: bytes copied, percent of what is known so far, bytes a second, seconds to go, files copied."""

    size: int
    percent: int
    rate: float
    remaining: int
    files: int = 0

    @property
    def left(self) -> str:
        """Return the time to go for a person: hours, minutes, seconds."""
        return f"{self.remaining // 3600}:{self.remaining % 3600 // 60:02}:{self.remaining % 60:02}"


@dataclass(frozen=True, slots=True)
class Account:
    """How far all trees are together: what is known of each tree's size, and what was copied of it; bytes.

    `began` is when the first of them began, in seconds of a clock that only moves forward.
    """

    totals: Mapping[int, int] = field(default_factory=dict)
    copied: Mapping[int, int] = field(default_factory=dict)
    began: float = 0.0

    def with_total(self, tree: int, size: int) -> Account:
        """Return the account with the size of a tree known."""
        return replace(self, totals={**self.totals, tree: size})

    def with_copied(self, tree: int, size: int) -> Account:
        """Return the account after a tree has come so far."""
        return replace(self, copied={**self.copied, tree: size})

    def overall(self, now: float) -> Progress:
        """Return how far all of it is, given the clock's time in seconds."""
        size = sum(self.copied.values())
        total = sum(max(known, self.copied.get(tree, 0)) for tree, known in self.totals.items())
        rate = size / (now - self.began) if now > self.began else 0.0
        left = round((total - size) / rate) if rate else 0
        return Progress(size, min(100, 100 * size // total) if total else 100, rate, max(0, left))


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a pass did, or would do: files copied and deleted, files looked at, bytes of the copied ones."""

    files: int = 0
    copied: int = 0
    deleted: int = 0
    size: int = 0

    def __str__(self) -> str:
        return f"{self.copied} of {self.files} files to copy, {self.size} bytes; {self.deleted} to delete"


def parse_progress(line: str) -> Progress | None:
    """Given a line of `--info=progress2`, return what it says; None for another line."""
    found = _PROGRESS.match(line)
    if found is None:
        return None
    size, percent, rate, unit, time, files = found.groups()
    hours, minutes, seconds = (int(part) for part in time.split(":"))
    digits = re.sub(r"\D", "", size)
    try:
        speed = float(rate.replace(",", ".")) * _SCALE[unit]
    except ValueError:
        return None
    return Progress(
        int(digits or 0),
        min(int(percent), 100),
        speed,
        hours * 3600 + minutes * 60 + seconds,
        int(files or 0),
    )


def parse_size(line: str) -> tuple[int, int] | None:
    """Given a line `size TREE BYTES` of a pass, return both numbers; None for another line."""
    found = re.fullmatch(r"size (\d{1,4}) (\d{1,18})\s*", line, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def parse_statistics(text: str) -> Statistics:
    """Given what `--stats` printed, return its counts; what it does not say is 0."""
    found = {key: int(re.sub(r"\D", "", value) or 0) for key, value in _STATISTIC.findall(text)}
    return Statistics(
        files=found.get("files", 0),
        copied=found.get("regular files transferred", found.get("files transferred", 0)),
        deleted=found.get("deleted files", 0),
        size=found.get("transferred file size", 0),
    )


def parse_items(text: str) -> tuple[str, ...]:
    """Given lines of `--out-format=%i %n%L`, return those that name a difference, as they are.

    A folder of which only the time differs is none: copying a file into it makes it differ again.
    """
    return tuple(items(host_text.lines(text)))


def items(lines: Iterable[str]) -> Iterator[str]:
    """Given the lines one by one, yield those that parse_items returns."""
    for line in lines:
        if _ITEM.fullmatch(line) and not re.match(r"\.d\.\.t\.{6,} ", line):
            yield line
