"""Tells all of a folder that a copy must keep: one JSON object, a key for each name. Given the folder and excludes."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import stat
import sys
from collections.abc import Iterator


def main(root: str, *excluded: str) -> None:
    found: dict[str, list[object]] = {}
    links: dict[tuple[int, int], list[str]] = {}
    for folder, folders, files in os.walk(root.encode()):
        folders[:] = [name for name in folders if os.fsdecode(name) not in excluded]
        for name in (b".", *files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))):
            path = os.path.normpath(os.path.join(folder, name))
            entry = os.lstat(path)
            shown = os.fsdecode(os.path.relpath(path, root.encode()))
            found[shown] = [*facts(path, entry)]
            if stat.S_ISREG(entry.st_mode) and entry.st_nlink > 1:
                links.setdefault((entry.st_dev, entry.st_ino), []).append(shown)
    for linked in links.values():
        for one in linked if len(linked) > 1 else ():  # a name in another tree is no concern of this one
            found[one].append(sorted(linked))
    print(json.dumps(found))


def facts(path: bytes, entry: os.stat_result) -> Iterator[object]:
    owner = f"{pwd.getpwuid(entry.st_uid)[0]}:{grp.getgrgid(entry.st_gid)[0]}"
    attributes = sorted(
        (name, os.getxattr(path, name, follow_symlinks=False).hex())
        for name in os.listxattr(path, follow_symlinks=False)
        if name.startswith(("user.", "system.posix_acl"))
    )
    yield from (stat.filemode(entry.st_mode), owner, attributes)
    if stat.S_ISLNK(entry.st_mode):
        yield os.fsdecode(os.readlink(path))
    elif stat.S_ISREG(entry.st_mode):
        with open(path, "rb") as file:
            yield from (entry.st_mtime_ns // 10**9, entry.st_size, hashlib.sha256(file.read()).hexdigest())
    elif stat.S_ISDIR(entry.st_mode):
        yield entry.st_mtime_ns // 10**9


main(*sys.argv[1:])
