"""Lock: one run of a plan at a time."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from migrator.errors import Locked
from migrator.journal.folder import make_folder, unwritable


class Lock:
    """The lock of one plan, held while used as a context manager; the kernel lets go of it with the process.

    Given the plan's state folder, which is made where it does not exist, and a clock. Entering raises Locked
    where another process holds it, with who, where and since when; JournalError where the folder is unusable.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = folder / "lock"
        self._now = now
        self._descriptor = -1

    def __enter__(self) -> Self:
        with unwritable(self._path):
            make_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.pread(descriptor, 4096, 0))
            os.close(descriptor)
            raise Locked(
                f"Another run of this plan holds its lock: {holder}",
                host="operator",
                advice="wait until it ends, or end it with Ctrl-C where it runs; then type the command again",
            ) from None
        self._descriptor = descriptor
        # The file itself stays: removing it would let two later runs lock two different files of one name.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, self._content(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def _content(self) -> bytes:
        content = {
            "who": _user(),
            "where": socket.gethostname(),
            "pid": os.getpid(),
            "since": self._now().isoformat(timespec="seconds"),
        }
        return json.dumps(content).encode()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an account
        return str(os.getuid())


def _holder(content: bytes) -> str:
    """Given what the lock's file holds, return its holder as a phrase; it may not have written it yet."""
    try:
        known = json.loads(content)
        return f"{known['who']} on {known['where']}, process {known['pid']}, since {known['since']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "its holder is not known yet"
