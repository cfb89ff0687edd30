"""A program reads one JSON object a line, without the contents of files."""

from __future__ import annotations

import io
import json

from migrator.event import Event, Kind
from migrator.report.json_lines import JsonLines
from tests.fakes import NOON


def test_each_event_is_one_line_without_the_contents_of_files() -> None:
    stream = io.StringIO()
    report = JsonLines(stream)
    report.show(Event(Kind.CHANGE_PLANNED, NOON, "relay", "old", "write\nit", {"change": {"do": "secret"}}))
    report.show(Event(Kind.PROGRESS, NOON, text="bo\udcee", data={"percent": 45}))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first == {
        "kind": "change_planned",
        "time": "2026-11-29T12:00:00+00:00",
        "step": "relay",
        "host": "old",
        "text": "write\nit",
        "data": {},
    }
    assert second["data"] == {"percent": 45}
