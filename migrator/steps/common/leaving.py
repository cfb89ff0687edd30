"""What really left a queue: told by the queue, before and after, and by the log; not by what was going to be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.change import HostName
from migrator.sendmail import log
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context
from migrator.steps.common import maillog, waiting

ASKED_LOG = 2000
"""Of how many messages the log is asked; a command line has an end."""


@dataclass(frozen=True, slots=True)
class Left:
    """What became of messages that waited: how many there were, which are still there, and what the log says.

    `outcomes` counts the last word on each recipient of those that left; empty where the log says nothing.
    """

    before: int
    staying: tuple[QueuedMessage, ...]
    outcomes: Counter[str]

    @property
    def gone(self) -> int:
        """Return how many are there no more."""
        return self.before - len(self.staying)

    @property
    def delivered(self) -> bool:
        """Return whether somebody took one: by the log, or by the queue alone where the log says nothing."""
        return bool(self.gone) and (not self.outcomes or "sent" in self.outcomes)

    def words(self, host: HostName) -> str:
        """Return it for a person."""
        told = "; ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common(5))
        by_log = f" (by its log: {told})" if told else ""
        rest = f"; {len(self.staying)} still wait: {waiting.words(self.staying)}" if self.staying else ""
        return f"{self.gone} of {self.before} messages left the {host} host's queue{by_log}{rest}"


def left(context: Context, host: HostName, before: Sequence[QueuedMessage]) -> Left:
    """Given messages that waited in a host's queue, look at it anew and return what became of them."""
    known = {one.id for one in before}
    staying = tuple(one for one in waiting.for_domains(context, host) if one.id in known)
    gone = sorted(known - {one.id for one in staying})
    told = log.attempts(maillog.about(context.reader(host), gone[:ASKED_LOG]), gone)
    last = {(one.id, one.recipients): one for one in told}
    outcomes = Counter("sent" if one.sent else one.outcome for one in last.values())
    return Left(len(known), staying, outcomes)
