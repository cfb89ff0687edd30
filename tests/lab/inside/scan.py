"""Runs inside a mail host: writes as JSON which of the lab's messages stand where.

`kept`: [token, mailbox, path, whole?] of each copy in a mailbox; `queued`: [token, queue file]; `left`: the folders
of homes that a migration leaves behind.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SPOOL = Path("/var/mail")
HOMES = Path("/var/www/web1/user")
QUEUES = (Path("/var/spool/mqueue"), Path("/var/spool/mqueue-client"))
TOKEN = re.compile(rb"^X-Lab-Token: (\S+)\s*$", re.MULTILINE)
# A queue file's header lines begin with H and its conditions in question marks (Sendmail's guide, appendix B).
QUEUED_TOKEN = re.compile(rb"^H(?:\?[^?]*\?)*X-Lab-Token: (\S+)\s*$", re.MULTILINE)
SEPARATOR = re.compile(rb"^From \S+ .*\n", re.MULTILINE)


def examine(message: bytes) -> tuple[str, bool] | None:
    """Return the token in a message's header, and whether its last line is there; None for other mail."""
    header, _, body = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    found = TOKEN.search(header)
    if found is None:
        return None
    return found[1].decode(), body.rstrip().endswith(b"end of " + found[1])


def mbox_messages(path: Path) -> Iterator[bytes]:
    """Yield the messages of an mbox."""
    pieces = SEPARATOR.split(path.read_bytes())
    yield from pieces[1:]


def copies() -> Iterator[tuple[str, str, str, bool]]:
    """Yield token, mailbox, path and wholeness of every copy in a mailbox."""
    for path in sorted(SPOOL.iterdir()):
        if path.is_file() and not path.name.endswith(".lock"):
            for message in mbox_messages(path):
                if found := examine(message):
                    yield found[0], path.name, str(path), found[1]
    for part in ("new", "cur"):
        for path in sorted(HOMES.glob(f"*/Maildir/**/{part}/*")):
            if found := examine(path.read_bytes()):
                yield found[0], path.relative_to(HOMES).parts[0], str(path), found[1]


def queued() -> Iterator[tuple[str, str]]:
    """Yield token and queue file of everything that waits in a queue; a file that is gone meanwhile waits no more."""
    for queue in QUEUES:
        for path in sorted(queue.rglob("[qQh]f*")):
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                continue
            for token in QUEUED_TOKEN.findall(text):
                yield token.decode(), str(path)


def main() -> None:
    """Write what is found."""
    left = [str(path) for name in ("bak", "web") for path in sorted(HOMES.glob(f"*/{name}"))]
    json.dump({"kept": list(copies()), "queued": list(queued()), "left": left}, sys.stdout)


if __name__ == "__main__":
    main()
