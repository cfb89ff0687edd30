"""Chronicle: makes events, and keeps the durable ones before anybody is told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from migrator.change import Change
from migrator.errors import Interrupted, MigrateError, NotReady, Refused
from migrator.event import Event, Kind
from migrator.journal import Record, State, encode
from migrator.steps.base import Step


class Chronicle:
    """Stamps events with the time, and appends the durable ones to a record. Given both."""

    def __init__(self, record: Record, now: Callable[[], datetime]) -> None:
        self._record = record
        self._now = now

    @property
    def state(self) -> State:
        """Return what the record adds up to."""
        return self._record.state

    def tell(
        self, kind: Kind, step: str | None = None, text: str = "", *, host: str | None = None, **data: Any
    ) -> Event:
        """Return an event of now, kept where it is durable. Raises JournalError where it cannot be kept."""
        event = Event(kind, self._now(), step, host, text, data)
        if event.durable:
            self._record.append(event)
        return event

    def plan(self, step: str | None, change: Change) -> tuple[int, Event]:
        """Keep a change and its undo, and return its number in the record, and the event."""
        data = {"change": encode(change)}
        event = Event(Kind.CHANGE_PLANNED, self._now(), step, change.do.host, change.summary, data)
        return self._record.append(event), event

    def failed(self, step: str, error: MigrateError, *, goes_on: bool = False) -> Event:
        """Keep what a step failed of, and whether all goes on nevertheless."""
        lifted_by = error.lifted_by if isinstance(error, Refused) else None
        return self.tell(
            Kind.STEP_FAILED,
            step,
            error.message,
            host=error.host,
            error=type(error).__name__,
            exit_code=error.exit_code,
            expected=error.expected,
            seen=error.seen,
            advice=error.advice,
            lifted_by=lifted_by,
            goes_on=goes_on,
        )

    def waiting(self, step: str, wait: NotReady, *, goes_on: bool) -> Event:
        """Keep what a step waits for, until when, and whether this run waits with it."""
        until = wait.until.isoformat() if wait.until else None
        return self.tell(
            Kind.STEP_WAITING,
            step,
            wait.message,
            host=wait.host,
            until=until,
            expected=wait.expected,
            seen=wait.seen,
            advice=wait.advice,
            goes_on=goes_on,
        )

    def interrupted(self, step: str | None, under_way: str) -> Event:
        """Keep what was under way when a signal came."""
        event = Event(Kind.INTERRUPTED, self._now(), step, None, under_way, {})
        # The signal that is being handled makes itself heard again after each line; this one is its last.
        with suppress(Interrupted):
            self._record.append(event)
        return event


def headline(step: Step) -> str:
    """Return the first line of a step's docstring."""
    return (inspect.getdoc(type(step)) or step.name).splitlines()[0]
