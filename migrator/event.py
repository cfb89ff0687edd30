"""Event: the one vocabulary of the journal and of everything that reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happened. The first group is durable (the journal keeps it), the second passes by."""

    RUN_STARTED = "run_started"
    PLAN_ACCEPTED = "plan_accepted"
    STEP_STARTED = "step_started"
    CHANGE_PLANNED = "change_planned"
    CHANGE_DONE = "change_done"
    CHANGE_FAILED = "change_failed"
    STEP_DONE = "step_done"
    STEP_WAITING = "step_waiting"
    STEP_FAILED = "step_failed"
    STARTED_OVER = "started_over"
    GOING_BACK = "going_back"
    WENT_BACK = "went_back"
    INTERRUPTED = "interrupted"
    RUN_DONE = "run_done"
    RUN_STOPPED = "run_stopped"  # --until was reached
    ROLLBACK_STARTED = "rollback_started"
    CHANGE_UNDONE = "change_undone"
    STEP_UNDONE = "step_undone"
    ROLLBACK_DONE = "rollback_done"

    STEP_SKIPPED = "step_skipped"
    CHANGE_PREVIEW = "change_preview"
    CHECK_OPEN = "check_open"
    PROGRESS = "progress"
    MESSAGE = "message"


TRANSIENT = frozenset({Kind.STEP_SKIPPED, Kind.CHANGE_PREVIEW, Kind.CHECK_OPEN, Kind.PROGRESS, Kind.MESSAGE})


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at an aware UTC time.

    `text` is a sentence for a person; `data` holds plain JSON values for a program: the change of a planned
    change, `until` of a wait, `expected` and `seen` of a failure.
    """

    kind: Kind
    time: datetime
    step: str | None = None
    host: str | None = None
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def durable(self) -> bool:
        """Return whether the journal keeps this event."""
        return self.kind not in TRANSIENT
