"""Which files Sendmail would not trust for who may write to them, and which of them DontBlameSendmail lets pass.

The Sendmail Installation and Operation Guide (5.6, option DontBlameSendmail) and sendmail/SECURITY ("File
permissions"): a file that its group or others may write to, or that stands in a folder which they may write to,
can be changed by more than its owner. A sticky folder counts as safe with TrustStickyBit. Sendmail says nothing
of a .forward that it does not trust: it is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from migrator.sendmail.text_error import TextError

Kind = Literal["alias", "map", "class", "forward", "include"]

READER = r"""
for file in "$@"; do
  while [ -n "$file" ]; do
    facts=$(stat -c '%f %u %g' -- "$file" 2>/dev/null) && printf '%s %s\000' "$facts" "$file"
    case $file in /) file= ;; *) file=${file%/*}; file=${file:-/} ;; esac
  done
done
printf '\000'
"""
"""A POSIX shell text for parse: prints mode (hexadecimal), owner and group of files and of every folder above."""

_ROW = re.compile(r"([0-9a-f]{1,8}) ([0-9]{1,10}) ([0-9]{1,10}) (/.*)", re.DOTALL)
_FOLDER = 0o040000
_FILE = 0o100000
_LINK = 0o120000
_KIND = 0o170000

_BY_GROUP: dict[Kind, str] = {
    "alias": "GroupWritableAliasFile",
    "forward": "GroupWritableForwardFile",
    "include": "GroupWritableIncludeFile",
}
_BY_OTHERS: dict[Kind, str] = {
    "alias": "WorldWritableAliasFile",
    "forward": "WorldWritableForwardFile",
    "include": "WorldWritableIncludeFile",
}
_FOLDER_BY_GROUP: dict[Kind, str] = {
    "forward": "ForwardFileInGroupWritableDirPath",
    "include": "IncludeFileInGroupWritableDirPath",
}
_FOLDER_BY_OTHERS: dict[Kind, str] = {
    "map": "MapInUnsafeDirPath",
    "class": "ClassFileInUnsafeDirPath",
    "forward": "ForwardFileInUnsafeDirPath",
    "include": "IncludeFileInUnsafeDirPath",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What stat(2) says of a path: mode with its type, owner and group as numbers."""

    mode: int
    owner: int
    group: int

    @property
    def is_folder(self) -> bool:
        """Whether the path is a folder."""
        return self.mode & _KIND == _FOLDER

    @property
    def is_file(self) -> bool:
        """Whether the path is a plain file."""
        return self.mode & _KIND == _FILE


@dataclass(frozen=True, slots=True)
class Weakness:
    """One reason not to trust a file: where it lies, in words, and the flag of DontBlameSendmail that lets it pass."""

    path: str
    reason: str
    flag: str
    hidden: bool


def parse(output: str) -> dict[str, Facts]:
    """Given what READER printed, return the facts by path. Raise TextError where the output is not whole."""
    if not output.endswith("\0") or (len(output) > 1 and not output.endswith("\0\0")):
        raise TextError("the list of permissions is not whole")
    found = {}
    for row in output.rstrip("\0").split("\0"):
        fields = _ROW.fullmatch(row)
        if fields:
            found[fields[4]] = Facts(int(fields[1], 16), int(fields[2]), int(fields[3]))
    return found


def flags(option: str) -> frozenset[str]:
    """Given the value of DontBlameSendmail, return its flags in lower case, without `safe`, which is none."""
    words = re.split(r"[,\s]+", option.lower())
    return frozenset(word for word in words if word) - {"safe"}


def weaknesses(
    path: str, kind: Kind, facts: Mapping[str, Facts], allowed: Collection[str], *, trusted: Collection[int]
) -> tuple[Weakness, ...]:
    """Given a file, what stat says of it and of every folder above it, and the flags, return why not to trust it.

    `trusted` are the users who may own the file and its folders: root, TrustedUser, and for a .forward its user.
    What no fact is known of is passed over.
    """
    found = []
    for place in (path, *map(str, PurePosixPath(path).parents)):
        known = facts.get(place)
        if known is not None:
            found += (
                _of_folder(place, kind, known, allowed) if place != path else _of_file(place, kind, known)
            )
            if known.owner not in trusted:
                found.append((place, f"belongs to user number {known.owner}", ""))
    return tuple(
        Weakness(place, reason, flag, bool(flag) and flag.lower() in allowed) for place, reason, flag in found
    )


def _of_file(path: str, kind: Kind, known: Facts) -> list[tuple[str, str, str]]:
    if known.mode & _KIND == _LINK:
        return []
    if known.mode & 0o002:
        return [(path, "may be written by everybody", _BY_OTHERS.get(kind, ""))]
    if known.mode & 0o020:
        return [(path, "may be written by its group", _BY_GROUP.get(kind, ""))]
    return []


def _of_folder(path: str, kind: Kind, known: Facts, allowed: Collection[str]) -> list[tuple[str, str, str]]:
    if known.mode & 0o1000 and "truststickybit" in allowed:
        return []
    if known.mode & 0o002:
        return [(path, "is a folder that everybody may write to", _FOLDER_BY_OTHERS.get(kind, ""))]
    if known.mode & 0o020 and "groupwritabledirpathsafe" not in allowed:
        flag = _FOLDER_BY_GROUP.get(kind) or _FOLDER_BY_OTHERS.get(kind, "")
        return [(path, "is a folder that its group may write to", flag)]
    return []
