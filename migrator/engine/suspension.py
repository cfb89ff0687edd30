"""While mail waits: since when, how long it may, and in the end how long it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from migrator.errors import GoBack, MigrateError
from migrator.plan import CutoverPlan
from migrator.steps.base import Step
from migrator.steps.common.opening import FLOWS

SINCE = "cutover.suspended"
"""Where it is remembered since when mail waits and mailboxes are closed."""

REAL = "cutover.real."
"""What the seconds are remembered under for which "mail" waited and "mailboxes" were closed."""

PREDICTED = "cutover.predicted."
"""What the seconds are remembered under that were predicted of both."""

OPENING = timedelta(seconds=60)
"""How long it may take, once the copy is proved, until mail was seen to flow to the new host."""

_WORDS = {"mail": "mail waited", "mailboxes": "mailboxes were closed"}


class Suspension:
    """The time in which mail waits for the copy. Given the steps in their order and how mail is to move."""

    def __init__(self, steps: Sequence[Step], cutover: CutoverPlan) -> None:
        self._cutover = cutover
        names = [step.name for step in steps]
        first = next((step for step in steps if step.suspends), None)
        proofs = [step.name for step in steps if step.proves]
        self._first = first
        self._until_proved = names[: names.index(proofs[-1]) + 1] if proofs else []
        opens = [step.name for step in steps if "mail" in step.reopens]
        last = names.index(opens[-1]) + 1 if opens else 0
        self._until_open = names[len(self._until_proved) : last] if proofs else []
        self._opening = False
        self.deadline: datetime | None = None

    @property
    def longest(self) -> timedelta:
        """Return how long the copy may take until it is proved, while mail waits."""
        return self._cutover.budget * self._cutover.overrun

    def starts(self, step: Step, memory: Mapping[str, str]) -> bool:
        """Return whether the first change of this step is what mail waits from."""
        return step is self._first and SINCE not in memory

    def follow(self, step: Step, memory: Mapping[str, str], now: datetime) -> None:
        """Take a step that is about to go on: where mail waits, this run has its time from the first one on."""
        opening = step.name in self._until_open
        if not opening and step.name not in self._until_proved:
            self.deadline = None
        elif SINCE in memory and (self.deadline is None or opening > self._opening):
            # Not from when mail began to wait: a run that was stopped and goes on is to have its time, too.
            self.deadline = now + (OPENING if opening else self.longest)
        self._opening = opening

    def expect_time(self, step: Step, now: datetime, error: MigrateError | None = None) -> None:
        """Raise GoBack where the time is over, saying what took it, and of what it failed."""
        if self.deadline is None or now < self.deadline or self._first is None:
            return
        failed = f", and ended with: {error.message}" if error else ""
        if self._opening:
            raise self._unopened(step, failed, error)
        raise GoBack(
            f"the cutover takes too long: after {self.longest.total_seconds():.0f} s the copy was not proved yet, in "
            f"{step.name}{failed}",
            step=self._first.suspends,
            host=error.host if error else None,
            expected=f"at most cutover.budget times cutover.overrun ({self.longest.total_seconds():.0f} s)",
            seen=error.seen if error else None,
            advice="the state before the cutover is back, and nothing was lost: see what took so long in "
            f"{step.name}"
            + (f" ({error.advice})" if error and error.advice else "")
            + ", or give cutover.budget or cutover.overrun more (--accept-plan-change); then run again",
        )

    def _unopened(self, step: Step, failed: str, error: MigrateError | None) -> GoBack:
        assert self._first is not None  # noqa: S101 - its caller has seen it
        return GoBack(
            f"no mail was seen to reach the new host: {OPENING.total_seconds():.0f} s after the copy was proved it "
            f"still waits, in {step.name}{failed}",
            step=self._first.suspends,
            host=error.host if error else None,
            expected="a message from the old host's queue, delivered to the new one",
            seen=error.seen if error else None,
            advice="the state before the cutover is back, the old host delivers what it held, and nothing was lost"
            + (f": {error.advice}" if error and error.advice else "")
            + "; then run again",
        )

    def real(self, step: Step, memory: Mapping[str, str], ended: datetime) -> dict[str, str]:
        """Return what is to be remembered of how long it was, once this step has let something go on.

        Mail no longer waits when the first message that was queued has arrived, whenever a port was opened.
        """
        if SINCE not in memory:
            return {}
        since = datetime.fromisoformat(memory[SINCE])
        ends = {"mail": datetime.fromisoformat(memory[FLOWS])} if FLOWS in memory else {}
        return {
            REAL + what: f"{(ends.get(what, ended) - since).total_seconds():.1f}"
            for what in step.reopens
            if REAL + what not in memory
        }


def told(memory: Mapping[str, str]) -> str:
    """Return how long mail waited and mailboxes were closed, as far as it is known, beside what was predicted."""
    return ", ".join(
        f"{words} {memory[REAL + what]} s"
        + (f" (predicted {memory[PREDICTED + what]} s)" if PREDICTED + what in memory else "")
        for what, words in _WORDS.items()
        if REAL + what in memory
    )
