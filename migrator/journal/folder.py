"""The state folder of a plan: private, and on the disk once it is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.errors import MigrateError


class JournalError(MigrateError):
    """The journal or the folder around it cannot be used, so nothing more may be done."""


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turn an OSError of the body into JournalError, which says what to see to."""
    try:
        yield
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be written or read: {error.strerror or error}",
            host="operator",
            advice="nothing was done after its last line; see to the disk and to the permissions of that "
            "folder, then type the command again",
        ) from error


def make_folder(folder: Path) -> None:
    """Make the state folder of a plan and the one around it, for their owner alone (mode 0700).

    Raises OSError.
    """
    for path in (folder.parent, folder):
        if not path.exists():
            path.mkdir(mode=0o700, parents=True)
            sync_folder(path.parent)
    folder.chmod(0o700)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's entries. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
