"""Several trees in one script on the new host, at once: the line's delay and the start of ssh are paid once.

What the script prints is labelled line by line: `TREE out LINE`, `TREE said LINE` for its errors, and `TREE status
NUMBER` when it has ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_LINE = re.compile(r"([0-9]{1,6}) (out|said|status) ?(.*)", re.DOTALL)

_LABEL = r"""label() { while IFS= read -r line || [ -n "$line" ]; do printf '%s %s\n' "$1" "$line"; done; }
"""

# Its errors take a way of their own round the first label. What outlives it must not keep the labels waiting.
_TREE = r"""{ { { (
exec 3>&- 4>&- 5>&-
@BODY@
); echo "$?" >&5; } 2>&1 >&4 | label '@TREE@ said' >&3; } 4>&1 | label '@TREE@ out' >&3; } 5>&1 |
    label '@TREE@ status' >&3 &
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one tree: its exit status (-1 where none was told), what it printed, and its errors."""

    status: int
    stdout: str
    stderr: str


def together(opening: str, bodies: Mapping[int, str]) -> str:
    """Given what comes first and each tree's script, return the script that runs them at once; it ends with 0."""
    trees = "".join(
        _TREE.replace("@TREE@", str(tree)).replace("@BODY@", body) for tree, body in bodies.items()
    )
    return f"{opening}{_LABEL}exec 3>&1\n{trees}wait\n"


def parse(text: str, trees: Iterable[int]) -> Mapping[int, Told]:
    """Given what such a script printed, return what became of each of the trees, also where it tells nothing of one."""
    found: dict[int, dict[str, list[str]]] = {}
    for line in text.split("\n"):
        if (match := _LINE.fullmatch(line)) is not None:
            found.setdefault(int(match[1]), {}).setdefault(match[2], []).append(match[3])
    return {tree: _told(found.get(tree, {})) for tree in trees}


def labelled(readers: Mapping[int, Callable[[str], None]]) -> Callable[[str], None]:
    """Return what is given the lines as they come, and hands what a tree printed to that tree's reader."""

    def read(line: str) -> None:
        match = _LINE.fullmatch(line.rstrip("\r\n"))
        if match is not None and match[2] == "out" and (reader := readers.get(int(match[1]))) is not None:
            reader(match[3])

    return read


def _told(lines: Mapping[str, list[str]]) -> Told:
    (status, *_) = lines.get("status", ["-1"])
    known = re.fullmatch("[0-9]{1,3}", status, re.ASCII) is not None
    return Told(
        int(status) if known else -1,
        "".join(f"{line}\n" for line in lines.get("out", [])),
        "".join(f"{line}\n" for line in lines.get("said", [])),
    )
