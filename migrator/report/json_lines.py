"""Events for a program: one JSON object a line."""

from __future__ import annotations

import json
from typing import TextIO

from migrator.event import Event

_PRIVATE = frozenset({"change", "plan"})
"""What the journal keeps of an event and a report does not show: whole files, both before and after."""


class JsonLines:
    """Writes each event as a line of JSON to a stream, at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        """Write one event. Raises OSError where the stream is closed."""
        self._stream.write(json.dumps(as_json(event)) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to write."""


def as_json(event: Event) -> dict[str, object]:
    """Given an event, return it as plain JSON values, without the contents of files."""
    return {
        "kind": event.kind.value,
        "time": event.time.isoformat(),
        "step": event.step,
        "host": event.host,
        "text": event.text,
        "data": {key: value for key, value in event.data.items() if key not in _PRIVATE},
    }
