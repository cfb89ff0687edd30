"""A command that takes long is spoken of while it does: what it is, on which host, and for how long by now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST = 5.0
"""After how many seconds it is spoken of first."""

EVERY = 15.0
"""How many seconds later it is each time after that."""

_LONGEST = 160


@contextmanager
def beating(
    what: str, tell: Callable[[str], None], *, first: float = FIRST, every: float = EVERY
) -> Iterator[None]:
    """Tell what is waited for, with the seconds, as long as the block lasts. Given a line of words for it."""
    ended = threading.Event()

    def beat() -> None:
        waited, pause = 0.0, first
        while not ended.wait(pause):
            waited, pause = waited + pause, every
            tell(f"waiting for: {what[:_LONGEST]} ({waited:.0f} s by now)")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
