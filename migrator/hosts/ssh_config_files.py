"""The files of ssh_config: which of them paramiko's reader understands whole, and a copy for another home."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from migrator import host_text

SYSTEM = Path("/etc/ssh/ssh_config")

_LINE = re.compile(r"[ \t]*([A-Za-z0-9]+)(?:[ \t]*=[ \t]*|[ \t]+)(.*)", re.DOTALL)
_KNOWN_CRITERIA = frozenset({"host", "originalhost", "user", "localuser"})
_UNKNOWN = frozenset({"include", "tag", "canonicalizehostname", "canonicaldomains"})
_DEEPEST = 16
"""As many files within files as ssh reads (readconf.c, READCONF_MAX_DEPTH)."""


def only_plain(text: str, folder: Path) -> str:
    """Given a file's text and the folder that names in it are of, return the first line that paramiko may misread.

    "" where there is none: each line then means to paramiko's reader what it means to ssh.
    """
    for number, raw in enumerate(host_text.lines(text), 1):
        line = host_text.stripped(raw)
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if (
            found
            and found[1].lower() == "include"
            and not any(_matches(name, folder) for name in _names(found[2]))
        ):
            continue
        if not found or not _is_plain(found[1].lower(), found[2]):
            return f"line {number}: {line}"
    return ""


def _is_plain(keyword: str, value: str) -> bool:
    if keyword in _UNKNOWN or re.search(r"""(?:^|[ \t])#|["'\\$]""", value):
        return False
    if keyword != "match":
        return True
    words = host_text.words(value)
    if [word.lower() for word in words] == ["all"]:
        return True
    criteria, patterns = words[::2], words[1::2]
    return len(criteria) == len(patterns) and all(one.lower() in _KNOWN_CRITERIA for one in criteria)


def rewritten(home: Path, folder: Path) -> Path:
    """Write into a folder what ssh would read if a home were the user's, and return the file for `ssh -F`.

    ssh resolves `~` and the names of Include (ssh_config(5)) by the home of the password database. Everything else
    stays as it is written; the system's own file comes last, as for ssh. Files that are missing are left out.
    """
    copies = _Copies(home, folder)
    first = copies.of(home / ".ssh/config", 0)
    own = f"Include {first}\n" if first else ""
    target = folder / "config"
    target.write_text(f"{own}Include {SYSTEM}\n", "utf-8")
    return target


class _Copies:
    """Copies of files whose Include lines name copies again."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._folder = folder
        self._count = 0

    def of(self, file: Path, depth: int) -> Path | None:
        """Return the copy of a file, None where it cannot be read."""
        try:
            text = file.read_text("utf-8", "surrogateescape")
        except OSError:
            return None
        self._count += 1
        copy = self._folder / f"config.{self._count}"
        lines = [self._line(line, depth) for line in host_text.lines(text)]
        copy.write_text("\n".join(lines) + "\n", "utf-8", "surrogateescape")
        return copy

    def _line(self, line: str, depth: int) -> str:
        found = _LINE.fullmatch(line)
        if not found or found[1].lower() != "include" or depth >= _DEEPEST:
            return line
        copies = [copy for name in _names(found[2]) for copy in self._included(name, depth)]
        return f"Include {' '.join(map(str, copies))}" if copies else f"# {line}"

    def _included(self, name: str, depth: int) -> list[Path]:
        path = f"{self._home}/{name[2:]}" if name.startswith("~/") else name
        copies = [self.of(file, depth + 1) for file in _matches(path, self._home / ".ssh")]
        return [copy for copy in copies if copy]


def _matches(name: str, folder: Path) -> list[Path]:
    """Return the files that a name of Include stands for, as ssh finds them (glob(3)): with folders in it too."""
    return [Path(file) for file in sorted(glob.glob(str(folder / Path(name).expanduser())))]  # noqa: PTH207


def _names(text: str) -> list[str]:
    """Return the names behind Include: quoted or not, up to a comment."""
    found = []
    for quoted, bare in re.findall(r'"([^"]*)"|([^ \t"]+)', text.rstrip("\r\n")):
        if bare.startswith("#"):
            break
        found.append(quoted or bare)
    return found
