"""Fixtures of the tests that need real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Yield a fresh lab whose plan says `hold`: both hosts as they were before the migration."""
    with Lab() as running:
        yield running


@pytest.fixture
def firewall_lab() -> Iterator[Lab]:
    """Yield a fresh lab whose plan says `firewall`."""
    with Lab(strategy="firewall") as running:
        yield running


@pytest.fixture
def lying_lab() -> Iterator[Lab]:
    """Yield a fresh lab where `service sendmail restart` returns 0 and restarts nothing (no SYS_PTRACE)."""
    with Lab(tracing=False) as running:
        yield running
