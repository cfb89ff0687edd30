"""The other paths by which a file of a host can be reached: bind mounts, which no look for links sees (proc(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEAD = "mounts\n"
"""What stands before the table, for no path begins so."""

READ = r"""printf 'mounts\n'; cat /proc/self/mountinfo 2>/dev/null; printf '\000\000'
"""
"""The sh text that prints the table of mounts, framed as a path is (see places_script)."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: the device, the folder of its file system that is mounted, and where; both without a last slash."""

    device: str
    root: str
    point: str


def parse(text: str) -> tuple[Mount, ...]:
    """Given what READ printed, return the mounts, the later ones of one place last. Lines of other form are left."""
    rows = (line.split(" ") for line in text.removeprefix(HEAD).split("\n"))
    return tuple(
        Mount(row[2], _plain(row[3]).rstrip("/"), _plain(row[4]).rstrip("/")) for row in rows if len(row) > 6
    )


def others(path: str, mounts: Sequence[Mount]) -> Iterator[str]:
    """Yield the other paths that lead to what a path without links leads to."""
    own = _mount_of(path, mounts)
    if own is None:
        return
    inside = own.root + path[len(own.point) :]
    for mount in mounts:
        if mount.device != own.device or not _holds(mount.root, inside):
            continue
        other = mount.point + inside[len(mount.root) :]
        # Another mount may lie over that place.
        if other != path and _mount_of(other, mounts) == mount:
            yield other


def _mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that a path is reached through: the deepest one, and of one place the latest."""
    best: Mount | None = None
    for mount in mounts:
        if _holds(mount.point, path) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _plain(text: str) -> str:
    r"""Return a field without its escapes: a blank stands there as \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
