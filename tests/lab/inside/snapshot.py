"""Runs inside a host: writes one JSON object, path -> facts, of all that a rehearsal must not touch."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys

# Kernel file systems, logs, sockets and pid files, and what rsyslog and sshd note about a mere visit.
SKIPPED = {
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/lab-state",
    "/var/log",
    "/var/lib/rsyslog",
    "/var/spool/rsyslog",
}


def content(path: str, mode: int) -> str:
    """Return a digest of a file's content, the target of a link, or nothing for a folder."""
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if not stat.S_ISREG(mode):
        return ""
    digest = hashlib.sha1(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def describe(path: str) -> str:
    """Return type and mode, owner, time of change where it is a file, and content."""
    facts = os.lstat(path)
    changed = facts.st_mtime_ns if stat.S_ISREG(facts.st_mode) else 0
    return f"{facts.st_mode:o} {facts.st_uid}:{facts.st_gid} {changed} {content(path, facts.st_mode)}"


def main() -> None:
    """Walk the whole host and write what is there."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in SKIPPED]
        for name in folders + files:
            path = os.path.join(folder, name)
            try:
                found[path] = describe(path)
            except FileNotFoundError:
                continue
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
