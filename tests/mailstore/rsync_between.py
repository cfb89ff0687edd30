"""A model of rsync between the folders of two hosts, started in its place: it copies exactly what it is told.

TREES in the environment tells the folder of each tree of the old host, by the number that --rsync-path ends with.
"""

from __future__ import annotations

import fnmatch
import json
import os
import sys
from pathlib import Path

from tests.mailstore import trees

words = sys.argv[1:]
if words == ["--version"]:
    sys.stdout.write("    no ACLs, no xattrs\n")
    sys.exit()
valued = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
patterns = [word.partition("=")[2] for word in words if word.startswith("--exclude=")]
number = valued["--rsync-path"].rpartition("-")[2]
old, new = Path(json.loads(os.environ["TREES"])[number]), Path(words[-1])
with Path(os.environ["HOME"], "asked").open("a") as asked:
    asked.write(f"migrate-tree-{number} --server\n")


def stays(path: str) -> bool:
    """Return whether a path, or a folder above it, stays behind."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    return any(
        fnmatch.fnmatchcase(each, pattern[1:])
        if pattern[0] == "/"
        else fnmatch.fnmatchcase(each.split("/")[-1], pattern)
        for each in above
        for pattern in patterns
    )


def differs(path: str) -> bool:
    """Return whether the new host has it otherwise."""
    there, here = old / path, new / path
    if not os.path.lexists(here) or there.lstat().st_mode != here.lstat().st_mode:
        return True
    if trees.is_folder(there):
        return there.stat().st_mtime_ns != here.stat().st_mtime_ns
    if "--checksum" in words and there.read_bytes() != here.read_bytes():
        return True
    seen, found = there.lstat(), here.lstat()
    return (seen.st_size, seen.st_mtime_ns) != (found.st_size, found.st_mtime_ns)


if "--files-from=-" in words:
    listed = [os.fsdecode(name).removeprefix("./") for name in sys.stdin.buffer.read().split(b"\0")[:-1]]
    if "" in listed:  # the folder itself brings all that is directly in it
        listed += [path.name for path in old.iterdir()]
    names = [name for name in listed if os.path.lexists(old / name)]
else:
    names = [name for name in trees.walk(old) if not stays(name)]
    names.insert(0, "")
changed = [name for name in names if "--ignore-times" in words or differs(name)]
gone = []
if "--delete-after" in words:
    gone = [name for name in trees.walk(new) if not os.path.lexists(old / name) and not stays(name)]
if "--dry-run" not in words:
    trees.copy(old, new, changed)
    for name in sorted(gone, reverse=True):
        trees.remove(new / name)
if "--stats" in words:
    sys.stdout.write(
        f"Number of files: {len(names)}\nNumber of deleted files: {len(gone)}\nLiteral data: 0 bytes\n"
    )
else:
    sys.stdout.writelines(f">f.st...... {name}\n" for name in changed)
