"""What a rule finds, and what the rules about hosts look at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from migrator.change import HostName
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.plan import HostPlan
from migrator.steps.base import Context
from migrator.steps.common.words import some

__all__ = ["Both", "Finding", "Level", "Look", "look_at_both", "some"]


class Level(StrEnum):
    """How much a finding matters: a failure keeps a run from starting, a warning is for a person to weigh."""

    PASS = "pass"  # noqa: S105 - no secret
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check: what was looked at, how it is, and what to do about it.

    `name` is the word of --force that lifts a failure. `detail` is what was seen, in lines: a difference of files.
    """

    name: str
    level: Level
    text: str
    advice: str = ""
    host: HostName = "operator"
    detail: str = ""


@dataclass(frozen=True)
class Look:
    """One host under examination: its part of the plan, its Reader and the facts of one look at it."""

    context: Context
    host: HostName
    facts: HostFacts

    @property
    def plan(self) -> HostPlan:
        """Return this host's part of the plan."""
        return self.context.plan.old if self.host == "old" else self.context.plan.new

    @property
    def reader(self) -> Reader:
        """Return what reads this host."""
        return self.context.reader(self.host)

    def passed(self, name: str, text: str) -> Finding:
        """Return a finding on this host that is as it should be."""
        return Finding(name, Level.PASS, text, host=self.host)

    def warned(self, name: str, text: str, advice: str) -> Finding:
        """Return a finding on this host for a person to weigh."""
        return Finding(name, Level.WARN, text, advice, self.host)

    def failed(self, name: str, text: str, advice: str) -> Finding:
        """Return a finding on this host that stands in the way."""
        return Finding(name, Level.FAIL, text, advice, self.host)


@dataclass(frozen=True)
class Both:
    """Both hosts under examination."""

    old: Look
    new: Look

    @property
    def context(self) -> Context:
        """Return what both were looked at with."""
        return self.old.context


def look_at_both(context: Context) -> Both:
    """Look at both hosts at once. Raises HostError or another MigrateError where one cannot be looked at."""
    with ThreadPoolExecutor(2) as pool:
        old, new = pool.map(context.facts, ("old", "new"))
    return Both(Look(context, "old", old), Look(context, "new", new))
