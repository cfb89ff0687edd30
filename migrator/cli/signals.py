"""Shield: a signal stops a run where it is safe, and a second one at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from migrator.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Shield:
    """While it is held, a signal waits; else it raises Interrupted at once.

    Once a signal has come, letting go of the shield raises Interrupted every time, so that nothing that caught
    it on the way can go on.
    """

    def __init__(self) -> None:
        self._held = 0
        self._came: signal.Signals | None = None

    def __enter__(self) -> None:
        self._held += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held -= 1
        if self._came and not self._held and kind is None:
            raise self._interrupted(self._came)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear SIGINT, SIGTERM and SIGHUP while the body runs."""
        before = {number: signal.signal(number, self.hear) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal. Raises Interrupted unless the shield is held; the second one ends the process."""
        if self._came:
            _leave_at_once(number)
            return
        self._came = signal.Signals(number)
        if not self._held:
            raise self._interrupted(self._came)

    def _interrupted(self, came: signal.Signals) -> Interrupted:
        return Interrupted(
            f"Stopped by {came.name}; the journal is whole",
            host="operator",
            advice="type the command again to go on from there, or `migrate rollback` to go back",
        )


def _leave_at_once(number: int) -> None:
    if number == signal.SIGHUP:
        return  # a closing terminal says so several times
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[?25h\n")  # the cursor, which a line shown in place hides
        sys.stdout.flush()
    os._exit(Interrupted.exit_code)
