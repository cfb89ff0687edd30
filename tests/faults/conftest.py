"""The fixtures of the faults, and the table made of what their tests record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import table
from tests.faults.outcome import Outcome
from tests.lab.conftest import (  # noqa: F401 - fixtures
    brief_firewall_lab,
    brief_lab,
    firewall_lab,
    lab,
    manual_lab,
    sudo_lab,
)

PROPERTY = "fault"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="write the table of the faults to this file")


def pytest_configure(config: pytest.Config) -> None:
    # Workers hand their reports to the process that started them, which alone writes the table.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collector(config.getoption("--table", default=None)), "faults")


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

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._failed: list[str] = []
        self._began = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid.rpartition("::")[2])
        if report.when == "teardown":
            self._rows += [dict(value) for key, value in report.user_properties if key == PROPERTY]  # type: ignore[call-overload]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for row in self._rows:
            terminalreporter.write_line(table.line(row))
        if self._path is not None:
            table.write(self._path, self._rows, self._failed, time.monotonic() - self._began)
