"""Rehearsal: the engine of a dry run. It previews changes where a run performs them, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from migrator.change import Change, Command, Note, Rsync, Undo
from migrator.engine.loss import refuse_way_home
from migrator.engine.rollback import asked_before, cutover_begun, undoable
from migrator.engine.run import CONFIRMED, Engine, Events
from migrator.errors import HostError, Interrupted, MigrateError, NotReady, Refused, StartOver
from migrator.event import Event, Kind
from migrator.executor.base import Executor
from migrator.journal import Scratch, State
from migrator.steps.base import Context, Phase, Step


class Previewer(Executor, Protocol):
    """An executor that does nothing, and says what it would do."""

    def preview(self, command: Command) -> str:
        """Return what a command would do, in lines for a person."""


class _Impatient:
    """A clock for a rehearsal: a step that polls for something sees its time run out at once, and not after minutes."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._skipped = timedelta()

    def now(self) -> datetime:
        return self._now() + self._skipped

    def sleep(self, seconds: float) -> None:
        self._skipped += timedelta(seconds=seconds)


class Rehearsal(Engine):
    """Drives the steps over hosts that stay as they are.

    Given the steps, the executor that only previews, the state to start from, and what steps may look at. Up
    to the first change that a run would perform, checks count; from there on they are told as open.
    `exit_code` says, once the events are drained, what stands in the way: 0 nothing, 1 a failed check, 3 a
    refusal.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        executor: Previewer,
        state: State,
        context: Context,
        *,
        homeward: Sequence[Step] = (),
    ) -> None:
        clock = _Impatient(context.now)
        patient = replace(context, now=clock.now, sleep=clock.sleep)
        super().__init__(steps, executor, Scratch(state), patient, homeward=homeward)
        self._previews = executor
        self._open = False
        self.exit_code = 0

    def rollback(self) -> Events:
        """Yield a preview of every undo and of the way home. Raises Refused where a change cannot be undone."""
        yield self._tell(Kind.MESSAGE, text="a rehearsal: nothing is changed")
        self._go_by_the_record()
        state = self._chronicle.state
        refuse_way_home(state, self._context)
        deeds = undoable(self._steps, state, self._context)
        ahead = self._homeward if cutover_begun(self._steps, state) else ()
        for step in (*asked_before(self._steps, state, self._homeward), *ahead):
            step.before_rollback(self._context)
        for deed, change in deeds:
            self._open = True
            yield self._preview(deed.step, change, undo=True)
        for step in ahead:
            yield from self._unless_finished(step)

    def _finish_going_back(self) -> Events:
        begun = self._chronicle.state.going_back
        if begun:
            yield self._tell(Kind.CHECK_OPEN, text=f"a run first finishes going back to {begun['to']}")

    def _ended(self) -> Event:
        return self._tell(Kind.MESSAGE, text="the rehearsal is over; nothing was changed")

    def _step(self, step: Step) -> Events:
        yield self._started(step)
        yield from self._judged(step, lambda: step.ready(self._context))
        yield from self._told(step)
        pending = self._chronicle.state.pending(step.name)
        if pending is not None:
            yield from self._change(step.name, pending.change)
        for attempt in range(1, step.attempts + 1):
            context = replace(self._context, attempt=attempt)
            failed = False
            for event in self._judged_changes(step, context):
                failed = failed or event.kind in (Kind.STEP_FAILED, Kind.STEP_WAITING)
                yield event
            if failed:
                return
            if self._open:
                yield self._tell(Kind.CHECK_OPEN, step.name, "is checked once this is done")
                return
            complaint = self._checked(step, context)
            if not complaint:
                yield self._tell(Kind.STEP_DONE, step.name, "nothing to do")
                return
        yield from self._complain(step, MigrateError(complaint))

    def _judged_changes(self, step: Step, context: Context) -> Iterator[Event]:
        try:
            for change in step.changes(context):
                yield from self._change(step.name, change)
        except (MigrateError, LookupError) as error:
            yield from self._judge(step, error)

    def _judged(self, step: Step, look: Callable[[], None]) -> Iterator[Event]:
        try:
            look()
        except (MigrateError, LookupError) as error:
            yield from self._judge(step, error)

    def _told(self, step: Step) -> Iterator[Event]:
        """Tell what a run would tell before it asks whether mail may move."""
        if step.phase is not Phase.CUTOVER or CONFIRMED in self._context.memory:
            return
        try:
            question = step.question(self._context)
        except (MigrateError, LookupError) as error:
            yield from self._judge(step, error)
            return
        if question.text:
            yield self._tell(Kind.MESSAGE, step.name, f"{question.text}\n{question.basis}".rstrip())

    def _judge(self, step: Step, error: MigrateError | LookupError) -> Iterator[Event]:
        """Tell what an error means in a rehearsal; raise it where it would end a run as well."""
        if isinstance(error, Interrupted | HostError):
            raise error
        if isinstance(error, NotReady):
            # What comes after a wait meets another world than this one.
            self._open = True
            yield self._chronicle.waiting(step.name, error, goes_on=True)
        elif self._open and isinstance(error, StartOver):
            # What an earlier step would have done is not done: that it "no longer holds" would be nonsense.
            yield self._tell(
                Kind.CHECK_OPEN, step.name, f"starts only where what {error.step} did still holds by then"
            )
        elif self._open or isinstance(error, StartOver):
            words = error.message if isinstance(error, MigrateError) else f"{error} is not known yet"
            yield self._tell(Kind.CHECK_OPEN, step.name, f"as things are now: {words}")
        elif isinstance(error, MigrateError):
            yield from self._complain(step, error)
        else:
            raise error

    def _complain(self, step: Step, error: MigrateError) -> Iterator[Event]:
        self.exit_code = max(self.exit_code, 3 if isinstance(error, Refused) else 1)
        yield self._chronicle.failed(step.name, error, goes_on=True)

    def _checked(self, step: Step, context: Context) -> str:
        return self._previews.check(lambda: step.verify(context))

    def _change(self, step: str | None, change: Change) -> Events:
        if isinstance(change.do, Note) and not self._open:
            # What is only noted of the hosts as they are is known to a rehearsal too, and keeps nothing open.
            yield from super()._change(step, change)
        else:
            self._open = True
            yield self._preview(step, change)

    def _preview(self, step: str | None, change: Change, *, undo: bool = False) -> Event:
        command = change.undo if undo else change.do
        preview = "" if isinstance(command, Undo | Note) else self._previews.preview(command)
        host = change.do.host if isinstance(command, Undo) else command.host
        summary = f"undo: {change.summary}" if undo else change.summary
        # A pass is called what it is ("the sweep: …"), and a preview says what would be done.
        summary = f"make {summary}" if isinstance(command, Rsync) else summary
        summary = f"note: {summary}" if isinstance(command, Note) else summary
        return self._tell(Kind.CHANGE_PREVIEW, step, preview, host=host, summary=summary)
