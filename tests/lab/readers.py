"""People who read, file and delete their Maildir mail on the old host while it is being copied."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.lab import Lab

SCRIPT = Path(__file__).with_name("inside") / "reader.py"
STOP = "/run/lab-readers.stop"
ENDED = "/run/lab-readers.ended"
LOG = "/run/lab-readers.log"


@dataclass
class Readers:
    """A context manager: inside it people are at work, `rate` actions a second, until `stop`."""

    lab: Lab
    rate: float = 10.0
    deleted: set[tuple[str, str]] = field(default_factory=set)
    """(token, mailbox) of what they deleted; filled by `stop`."""
    _running: bool = False

    def __enter__(self) -> Self:
        self.lab.shell("old", f"rm -f {STOP} {ENDED} {LOG}")
        self.lab.start_python("old", SCRIPT, str(self.rate), STOP, LOG)
        self._running = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()

    def stop(self, seconds: float = 10.0) -> None:
        """Let them end their last action. Raise TimeoutError where they do not within the seconds."""
        if not self._running:
            return
        self._running = False
        self.lab.shell("old", f"touch {STOP}")
        deadline = time.monotonic() + seconds
        while self.lab.exec("old", "test", "-e", ENDED)[0] != 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the readers on the old host did not stop within {seconds:.0f} s")
            time.sleep(0.05)
        for line in self.lab.shell("old", f"cat {LOG}").splitlines():
            token, mailbox = line.split()
            self.deleted.add((token, mailbox))
