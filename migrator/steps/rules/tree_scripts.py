"""The inspecting scripts that measure the trees of a plan, and what they print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from migrator import host_text
from migrator.plan import SyncTree

_PATIENCE = 300  # seconds for one tree: the size of a large one is an estimate, and not worth more
_LIMIT = (
    f'limit() {{ if command -v timeout >/dev/null 2>&1; then timeout {_PATIENCE} "$@"; else "$@"; fi; }}\n'
)
_DF = re.compile(r"\s[0-9]{1,18}\s+[0-9]{1,18}\s+(-?[0-9]{1,18})\s+(?:[0-9]+%|-)\s+(/.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Room:
    """Where a tree goes: its file system, what is free there, and what of the tree is there, both in kB."""

    mount: str
    available: int
    used: int


def sizes(trees: Iterable[SyncTree]) -> str:
    """Return the script that prints the size of each source in kB, one a line, "absent" where there is none."""
    return _LIMIT + "".join(
        f'if [ -e {_quoted(tree.source)} ]; then echo "$({_size(tree.source, tree.exclude)})"; '
        "else echo absent; fi\n"
        for tree in trees
    )


def parse_sizes(text: str) -> list[int | None]:
    """Given what `sizes` printed, return the sizes in kB, None for what is absent; fewer where du failed."""
    lines = host_text.lines(text)
    return [
        None if line == "absent" else int(line) for line in lines if re.fullmatch(r"absent|[0-9]{1,18}", line)
    ]


def rooms(trees: Iterable[SyncTree]) -> str:
    """Return the script that prints two lines for each target: its size in kB now, and df's line for its place."""
    return _LIMIT + "".join(
        f"path={_quoted(tree.target)}\n"
        f'if [ -e "$path" ]; then echo "size $({_size(tree.target, ())})"; else echo size 0; fi\n'
        'while [ ! -e "$path" ] && [ "$path" != / ]; do path=$(dirname "$path"); done\n'
        'LC_ALL=C df -Pk "$path" | tail -n 1\n'
        for tree in trees
    )


def parse_rooms(text: str) -> list[Room]:
    """Given what `rooms` printed, return where each target goes; fewer where df failed."""
    found: list[Room] = []
    used = 0
    for line in host_text.lines(text):
        if size := re.fullmatch(r"size ([0-9]{0,18})", line):
            used = int(size[1] or 0)
        elif free := _DF.search(line):
            found.append(Room(free[2], max(int(free[1]), 0), used))
    return found


def owners(paths: Iterable[str]) -> str:
    """Return the script that prints the user numbers that own what is in the first two levels of the trees."""
    listed = "\n".join(
        f"limit find -H {_quoted(path)} -mindepth 1 -maxdepth 2 -printf '%U\\n' 2>/dev/null" for path in paths
    )
    return f"{_LIMIT}{{ {listed}\n}} | sort -un\n"


def files(paths: Iterable[str]) -> str:
    """Return the script that prints the first files of the trees that may be mail, each ended by NUL."""
    listed = "\n".join(
        f"limit find -H {_quoted(path)} -type f -size +0 ! -name '.*' -printf '%p\\0' 2>/dev/null | head -c 2000"
        for path in paths
    )
    return f"{_LIMIT}{listed}\ntrue\n"


def _size(path: str, exclude: Iterable[str]) -> str:
    excluded = " ".join(f"--exclude={shlex.quote(pattern)}" for pattern in exclude)
    return f"limit du -skH {excluded} -- {_quoted(path)} 2>/dev/null | tail -n 1 | cut -f 1"


def _quoted(path: str) -> str:
    return shlex.quote(path.rstrip("/"))
