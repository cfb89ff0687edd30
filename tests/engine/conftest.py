"""The bench that every test of the engine works on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / ".migrate" / "example-mail")
