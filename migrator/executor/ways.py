"""The connection from the new host to the old one, however the plan lets it come about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from migrator.executor.home import RelayedHost
from migrator.hosts.between import Reached, passage
from migrator.mailstore.way import Way
from migrator.plan import Plan


class ReachableHost(RelayedHost, Reached, Protocol):
    """A mail host that a rehearsal can be relayed to, and that knows how it is reached."""


class Ways:
    """Makes the way for one script at a time. Given the plan and both hosts."""

    def __init__(self, plan: Plan, old: ReachableHost, new: ReachableHost) -> None:
        self._plan = plan
        self._old = old
        self._new = new

    @contextmanager
    def way(self) -> Iterator[Way]:
        """Yield the way, which is there as long as the block runs. Raises HostError where it cannot be made."""
        with passage(self._plan, self._old, self._new) as loopback:
            yield Way.to(self._plan.name, self._old.endpoint(), loopback=loopback)
