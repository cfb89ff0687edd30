"""The fixtures of the faults, and the table made of what their tests record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import table
from tests.faults.outcome import Outcome
from tests.faults.parts import Part, Result, kept
from tests.lab.conftest import (  # noqa: F401 - fixtures
    brief_firewall_lab,
    brief_lab,
    firewall_lab,
    lab,
    manual_lab,
    sudo_lab,
)

PROPERTY = "fault"
KEPT = Path(".faults")
"""Where what came of each part is kept until the others were run as well."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="write the table of the faults to this file")
    parser.addoption("--part", type=Part.parse, default=Part(), help="run one part of the faults, as 2/4")


def pytest_configure(config: pytest.Config) -> None:
    # Workers hand their reports to the process that started them, which alone writes the table.
    if not hasattr(config, "workerinput"):
        part = config.getoption("--part", default=Part())
        config.pluginmanager.register(Collector(config.getoption("--table", default=None), part), "faults")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part = config.getoption("--part", default=Part())
    faults = [item.nodeid for item in items if item.get_closest_marker("fault")]
    taken = set(part.takes(faults))
    left = [item for item in items if item.get_closest_marker("fault") and item.nodeid not in taken]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """Yield the row of this test's fault, named by `@pytest.mark.fault(NAME)`."""
    marker = request.node.get_closest_marker("fault")
    assert marker is not None, "a test of a fault says which: @pytest.mark.fault(NAME)"
    row = Outcome(marker.args[0])
    yield row
    request.node.user_properties.append((PROPERTY, row.row()))


class Collector:
    """Gathers the rows of all tests."""

    def __init__(self, path: Path | None, part: Part) -> None:
        self._path = path
        self._part = part
        self._tests = 0
        self._rows: list[dict[str, Any]] = []
        self._failed: list[str] = []
        self._began = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid.rpartition("::")[2])
        if report.when == "teardown":
            self._tests += 1
            self._rows += [dict(value) for key, value in report.user_properties if key == PROPERTY]  # type: ignore[call-overload]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for row in self._rows:
            terminalreporter.write_line(table.line(row))
        if self._path is not None:
            seconds = time.monotonic() - self._began
            Result(self._part, tuple(self._rows), self._tests, tuple(self._failed), seconds).keep(KEPT)
            self._path.write_text(table.page(kept(KEPT, self._part.of), self._part.of))
