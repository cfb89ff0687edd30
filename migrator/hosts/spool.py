"""Bytes that may be many: a few are kept in memory, more on the operator's disk, in a file without a name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from io import BytesIO
from typing import IO


class Spool:
    """Takes bytes at its end and gives them back from the beginning. Given how many of them stay in memory."""

    def __init__(self, in_memory: int) -> None:
        self._most = in_memory
        self._file: IO[bytes] = BytesIO()
        self.length = 0

    def __del__(self) -> None:
        self._file.close()

    def write(self, content: bytes) -> None:
        """Add bytes. Raises OSError where the disk is full."""
        if self.length <= self._most < self.length + len(content):
            before = self._file
            self._file = tempfile.TemporaryFile(prefix="migrate-")  # noqa: SIM115
            before.seek(0)
            self._file.write(before.read())
        self._file.write(content)
        self.length += len(content)

    def end(self, most: int) -> bytes:
        """Return the last bytes, at most so many; nothing is written after it."""
        self._file.seek(max(0, self.length - most))
        return self._file.read(most)

    def records(self, separator: bytes = b"\n") -> Iterator[bytes]:
        """Yield what stands between the separators, and what stands after the last one where it is not empty."""
        at, rest = 0, b""
        while at < self.length:
            self._file.seek(at)
            piece = self._file.read(256 * 1024)
            if not piece:
                return
            at += len(piece)
            *whole, rest = (rest + piece).split(separator)
            yield from whole
        if rest:
            yield rest
