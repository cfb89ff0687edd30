"""The stream of mail from outside: steady, from many senders at once, each of which tries until it is accepted."""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.lab.message import Message, random_message
from tests.lab.place import Place
from tests.lab.sender import AddressBook, attempt

SENDERS = 40
"""How many senders are at work at once; each may hang in a connection that nobody answers."""
RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 4.0
"""A sender waits longer each time, and no two equally long: a port that opens is not stormed by all at once."""


@dataclass
class Traffic:
    """A context manager: mail flows inside it, `rate` messages a second, until `finish`."""

    place: Place
    rate: float = 15.0
    stale_share: float = 0.3
    lingering_share: float = 0.05
    name: str = "mail"
    messages: list[Message] = field(default_factory=list)
    _due: queue.PriorityQueue[tuple[float, int, Message]] = field(default_factory=queue.PriorityQueue)
    _turn: itertools.count[int] = field(default_factory=itertools.count)
    _finished: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        book = AddressBook(self.place)
        self._threads = [threading.Thread(target=self._generate, name="stream")]
        self._threads += [
            threading.Thread(target=self._send, args=(book,), name=f"sender {number}")
            for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def finish(self, seconds: float = 120.0) -> list[Message]:
        """Stop writing new mail, wait until all is accepted; return what is not after the seconds."""
        self._finished.set()
        self._threads[0].join()
        deadline = time.monotonic() + seconds
        while (left := self.unsettled()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def unsettled(self) -> list[Message]:
        """Return the messages that senders still hold."""
        return [message for message in list(self.messages) if not message.settled]

    @property
    def accepted(self) -> list[Message]:
        """The messages that were answered 250."""
        return [message for message in list(self.messages) if message.accepted_at is not None]

    def _generate(self) -> None:
        """Write a message at each beat; a beat that came late does not move the next ones."""
        chance = random.Random(self.name)
        start = time.monotonic()
        for number in itertools.count():
            beat = start + number / self.rate
            if self._finished.wait(max(0.0, beat - time.monotonic())):
                return
            token = f"{self.name}-{number}"
            message = random_message(token, chance, self.stale_share, self.lingering_share)
            self.messages.append(message)
            self._due.put((beat, next(self._turn), message))

    def _send(self, book: AddressBook) -> None:
        """Take the next message that is due, try, and put it back where that failed."""
        while not self._stopped.is_set():
            try:
                due, _, message = self._due.get(timeout=0.2)
            except queue.Empty:
                continue
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            if not attempt(message, book):
                self._due.put((time.monotonic() + pause(message.refusals), next(self._turn), message))


def pause(refusals: int) -> float:
    """Return after how many seconds a sender tries again that was refused so many times."""
    return min(RETRY_SECONDS * (1 << (refusals - 1)), LONGEST_RETRY_SECONDS) * random.uniform(0.5, 1.5)
