"""Holds a mailbox as a mail program does, by fcntl, until a file says that it may go. Runs inside the container."""

from __future__ import annotations

import fcntl
import sys
import time
from pathlib import Path

STOP = Path("/run/lab-lock.stop")


def main(mailbox: str) -> None:
    """Lock the mailbox and wait."""
    STOP.unlink(missing_ok=True)
    with Path(mailbox).open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        while not STOP.exists():
            time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
