"""Watches the SMTP ports: when was one closed, and for how long."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.lab.lab import accepts

BEAT_SECONDS = 0.05
PATIENCE_SECONDS = 0.2
"""A dropped SYN is repeated by the kernel after a second; a new try tells sooner that the port is open again."""


@dataclass
class PortProbe:
    """Connects to one port at each beat; `closed` holds the (start, end) of each closed time, in epoch seconds."""

    address: str
    port: int = 25
    beat: float = BEAT_SECONDS
    """Seconds between two looks; each costs the host a process."""
    closed: list[tuple[float, float]] = field(default_factory=list)
    tries: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, name=f"probe {self.address}")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the watch; what is closed at that moment counts up to it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def longest(self) -> float:
        """The longest closed time, in seconds."""
        return max((end - start for start, end in self.closed), default=0.0)

    @property
    def total(self) -> float:
        """All closed times together, in seconds."""
        return sum(end - start for start, end in self.closed)

    def _watch(self) -> None:
        since: float | None = None
        while not self._stopped.is_set():
            began = time.time()
            self.tries += 1
            if accepts(self.address, self.port, PATIENCE_SECONDS):
                if since is not None:
                    self.closed.append((since, time.time()))
                since = None
            elif since is None:
                since = began
            self._stopped.wait(max(0.0, self.beat - (time.time() - began)))
        if since is not None:
            self.closed.append((since, time.time()))
