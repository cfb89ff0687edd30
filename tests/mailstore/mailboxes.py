"""Mailboxes for tests: messages of every shape, a host of folders, and another reading of what a message is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from migrator.hosts.script import inspecting
from migrator.mailstore.joining import Joined, join_script, parse_joined
from tests.hosts.shell import SHELLS, run

NAME = "example-mail"
_CHANGING = {
    b"x-uidl",
    b"x-mozilla-status",
    b"x-mozilla-status2",
    b"x-evolution",
    b"status",
    b"x-status",
    b"x-keywords",
    b"x-uid",
    b"x-imap",
    b"x-imapbase",
    b"content-length",
    b"lines",
}


def message(number: int, *headers: str, body: str = "", end: str = "\n\n") -> bytes:
    """Return a message as a delivery agent writes it."""
    lines = [f"From sender@example.net Mon Nov 23 19:{number // 60 % 60:02}:{number % 60:02} 2026"]
    lines += [f"Message-ID: <{number}@example.net>", *headers, "", body or f"message {number}"]
    return ("\n".join(lines) + end).encode("utf-8", "surrogateescape")


COPY = message(1) + message(2)
"""What the final copy made equal on both hosts."""


def identities(content: bytes) -> Counter[bytes]:
    """Return the messages of a mailbox without what says nothing of them."""
    starts = [found.start() for found in re.finditer(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From ", content)]
    pieces = zip(starts, [*starts[1:], len(content)], strict=False)
    return Counter(_identity(content[start:end]) for start, end in pieces)


def _identity(text: bytes) -> bytes:
    kept: list[bytes] = []
    header, left_out = True, False
    for line in text.split(b"\n"):
        header = header and line not in (b"", b"\r")
        if header and not line[:1].isspace():
            left_out = line.partition(b":")[0].lower() in _CHANGING
        if not (header and left_out):
            kept.append(line)
    while kept and kept[-1] in (b"", b"\r"):
        kept.pop()
    return b"\n".join(kept)


@dataclass
class OldHost:
    """A tree of the old host, and the folder in which copies of the new host's mailboxes have arrived."""

    root: Path

    def __post_init__(self) -> None:
        self.tree.mkdir(parents=True)

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    @property
    def home(self) -> Path:
        return self.root / "state" / NAME / "home-0"

    def mailbox(self, path: str, content: bytes) -> Path:
        return _write(self.tree / path, content)

    def arrive(self, path: str, content: bytes) -> Path:
        return _write(self.home / "stage" / path, content)

    def script(self, *paths: str, patience: int = 0) -> str:
        return join_script(str(self.tree), paths, home=str(self.home), name=NAME, patience=patience)

    def join(self, *paths: str, shell: str = SHELLS[0], patience: int = 0, before: str = "") -> Joined:
        """Run the script, after `before`, and return what it says."""
        output = run(shell, inspecting(before + self.script(*paths, patience=patience)), timeout=120)
        assert (output.returncode, output.stderr) == (0, ""), output
        return parse_joined(output.stdout, len(paths))

    def merge(self, old: bytes | None, new: bytes, *, shell: str = SHELLS[0]) -> tuple[Joined, bytes]:
        """Join one mailbox (None: there is none) with its copy, and return what was said and what it is then."""
        if old is not None:
            self.mailbox("user01", old)
        self.arrive("user01", new)
        return self.join("user01", shell=shell), (self.tree / "user01").read_bytes()


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
