"""Journal: every durable event as one JSON line, on the disk before the next deed."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from migrator import __version__
from migrator.errors import JournalDamaged, JournalNewer, MigrateError
from migrator.event import Event, Kind
from migrator.journal.folder import JournalError, make_folder, sync_folder, unwritable
from migrator.journal.newer import unknown
from migrator.journal.state import State

FILE = "journal.jsonl"


class Record(Protocol):
    """What a run needs of a journal: the state so far, and a place for the next event."""

    @property
    def state(self) -> State:
        """Return what all events so far add up to."""

    def append(self, event: Event) -> int:
        """Keep an event and return its sequence number. Raises JournalError where it cannot be kept."""


class Scratch:
    """A Record that keeps nothing: what a rehearsal writes to. Given the state that it starts from."""

    def __init__(self, state: State) -> None:
        self.state = state
        # Far above every line of a real journal, so that no sequence number of it is met again.
        self._sequence = 1 << 40

    def append(self, event: Event) -> int:
        """Take an event into account and return its sequence number."""
        self._sequence += 1
        self.state.fold(self._sequence, event)
        return self._sequence


class Journal:
    """The journal of one plan, open for writing; its folder's lock must be held.

    Given the plan's state folder, which is made with mode 0700 where it does not exist, and a context manager
    that holds signals back while a line is written. Opening drops a torn last line: nobody was told that it
    was kept. Raises JournalDamaged where another line cannot be read, JournalError for an unusable folder.
    """

    def __init__(self, folder: Path, *, shield: AbstractContextManager[object] | None = None) -> None:
        self.path = folder / FILE
        self._shield = shield or nullcontext()
        self._broken: JournalError | None = None
        with unwritable(self.path):
            make_folder(folder)
            created = not self.path.exists()
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if created:
                sync_folder(folder)
        try:
            self.state, self._sequence, self._size = _replay(self.path)
            with unwritable(self.path):
                self._cut()
        except MigrateError:
            self.close()
            raise

    def append(self, event: Event) -> int:
        """Write an event as the next line, wait until the disk has it, and return its number (from 1).

        Raises JournalError where it cannot be written; from then on nothing is.
        """
        if self._broken:
            raise self._broken
        with self._shield:
            sequence = self._sequence + 1
            line = _line(sequence, event)
            try:
                self._write(line)
            except JournalError as error:
                self._broken = error
                raise
            self._sequence = sequence
            self._size += len(line)
            self.state.fold(sequence, event)
        return sequence

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        with unwritable(self.path):
            try:
                written = os.write(self._descriptor, line)
                if written < len(line):
                    # The rest either fits after all, or the system says why it does not.
                    written += os.write(self._descriptor, line[written:])
                if written != len(line):
                    raise OSError(f"only {written} of {len(line)} bytes could be written")
                os.fsync(self._descriptor)
            except OSError:
                self._cut()
                raise

    def _cut(self) -> None:
        if os.fstat(self._descriptor).st_size > self._size:
            os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)


def read_state(folder: Path) -> State:
    """Given a plan's state folder, return what its journal adds up to (nothing where there is none).

    Changes nothing. Raises JournalDamaged where a line that is not a torn last one cannot be read (JournalNewer where a
    later version wrote it), and JournalError where the file cannot be opened.
    """
    with unwritable(folder / FILE):
        return _replay(folder / FILE)[0] if (folder / FILE).exists() else State()


def _line(sequence: int, event: Event) -> bytes:
    content = {
        "sequence": sequence,
        "time": event.time.isoformat(),
        "kind": event.kind.value,
        "step": event.step,
        "host": event.host,
        "text": event.text,
        "data": event.data,
    }
    # ASCII only: bytes of a host that are not UTF-8 stand as \udcXX, and come back as they were.
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"


def _event(content: dict[str, Any]) -> Event:
    return Event(
        kind=Kind(content["kind"]),
        time=datetime.fromisoformat(content["time"]),
        step=content["step"],
        host=content["host"],
        text=content["text"],
        data=content["data"],
    )


def _replay(path: Path) -> tuple[State, int, int]:
    """Return the state, the last sequence number and the length in bytes of the journal's whole lines."""
    state, sequence, size = State(), 0, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                content = json.loads(line)
                if what := unknown(content):
                    raise _newer(path, number, what, state.version)
                if content["sequence"] != number:
                    raise ValueError(f"it has the number {content['sequence']}: lines are missing or doubled")
                state.fold(number, _event(content))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise _damaged(path, number, error) from error
            sequence, size = number, size + len(line)
    return state, sequence, size


def _newer(path: Path, number: int, what: str, version: str) -> JournalNewer:
    return JournalNewer(
        f"{path}, line {number}: this journal was written by a newer version of migrate: the line holds {what}",
        host="operator",
        expected=f"what version {__version__} knows",
        seen=what + (f"; the last run that tells its version was one of {version}" if version else ""),
        advice="use the version of migrate that wrote it, here as well (`migrate --version`). The file is whole: leave "
        "it as it is, for what is cut away a rollback does not undo. Nothing was touched",
    )


def _damaged(path: Path, number: int, reason: Exception) -> JournalDamaged:
    return JournalDamaged(
        f"{path}, line {number}: this line of the journal cannot be read ({reason})",
        host="operator",
        expected="one JSON object a line, numbered from 1 without a gap",
        seen=str(reason),
        advice="put back a copy of the file from a backup; or keep a copy, cut the file before line "
        f"{number} (head -n {number - 1}), and type the command again: what was done from there on is done "
        "once more, but a rollback does not know of it",
    )
