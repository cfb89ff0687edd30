"""Fixtures of the tests that need real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab

BRIEF = 10


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
def brief_lab() -> Iterator[Lab]:
    """Yield a fresh lab under `hold` whose ports open by themselves after BRIEF seconds."""
    with Lab(max_closed=f"{BRIEF}s") as running:
        yield running


@pytest.fixture
def brief_firewall_lab() -> Iterator[Lab]:
    """Yield a fresh lab under `firewall` whose ports open by themselves after BRIEF seconds."""
    with Lab(strategy="firewall", max_closed=f"{BRIEF}s") as running:
        yield running


@pytest.fixture
def manual_lab() -> Iterator[Lab]:
    """Yield a fresh lab whose operator changes the DNS by hand."""
    with Lab(update="manual") as running:
        yield running


@pytest.fixture
def lying_lab() -> Iterator[Lab]:
    """Yield a fresh lab where `service sendmail restart` returns 0 and restarts nothing (no SYS_PTRACE)."""
    with Lab(tracing=False) as running:
        yield running


@pytest.fixture
def sudo_lab() -> Iterator[Lab]:
    """Yield a fresh lab whose operator needs sudo, and whose DNS has a second server and a program of his own."""
    with Lab(user="admin", update="command", secondary=True) as running:
        yield running
