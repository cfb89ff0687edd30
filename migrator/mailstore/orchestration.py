"""What a cutover takes beside the copy: its commands on the hosts, and what Sendmail takes to load and to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step costs: how many commands in turn, and the seconds that the hosts themselves take for them."""

    commands: int
    own: float

    def seconds(self, round_trip: float) -> float:
        """Given the seconds of a command that does nothing, return what the step takes."""
        return self.commands * round_trip + self.own


@dataclass(frozen=True, slots=True)
class Orchestration:
    """The steps of a cutover while mail waits, and those after it until the mailboxes are open.

    `sweeping` are the seconds of the sweep beside its look at every name; `again` is how many passes follow the final
    one while mail waits, with nothing left to copy; `ahead` are the seconds, beside those of the commands, that open
    sessions have had when their end is waited for.
    """

    waiting: Mapping[str, Cost]
    opening: Mapping[str, Cost]
    sweeping: float = 2.0
    again: int = 0
    ahead: float = 0.0

    @property
    def commands(self) -> int:
        """Return how many commands they take together."""
        return sum(cost.commands for cost in (*self.waiting.values(), *self.opening.values()))

    def until_mail(self, round_trip: float) -> float:
        """Return the seconds for which mail waits, the copy apart."""
        return sum(cost.seconds(round_trip) for cost in self.waiting.values())

    def seconds(self, round_trip: float) -> float:
        """Return the seconds for which the mailboxes are closed, the copy apart."""
        return self.until_mail(round_trip) + sum(cost.seconds(round_trip) for cost in self.opening.values())
