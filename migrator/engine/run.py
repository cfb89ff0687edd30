"""Engine: drives the steps forward, one journalled change after the other."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from migrator import __version__
from migrator.change import Change, Command, Note, Rsync, Undo
from migrator.engine.chronicle import Chronicle, headline
from migrator.engine.going_back import go_back
from migrator.engine.loss import explain_loss, without_old
from migrator.engine.plan_change import check
from migrator.engine.rollback import roll_back, told
from migrator.engine.suspension import SINCE, Suspension
from migrator.engine.suspension import told as time_told
from migrator.errors import (
    GoBack,
    HostError,
    Interrupted,
    MigrateError,
    NotReady,
    Refused,
    StartOver,
    UsageError,
    VerifyFailed,
)
from migrator.event import Event, Kind
from migrator.journal import FORMAT, JournalError, Record
from migrator.journal.journalled import journalled
from migrator.steps.base import Context, Phase, Step

if TYPE_CHECKING:
    from migrator.executor import Executor

Events = Generator[Event, None, None]

RESTARTS = 3
"""How often one run goes back to an earlier step before it gives up."""

POLL = timedelta(seconds=60)
"""How long a waiting run sleeps before it looks again where nobody can know until when."""

CONFIRMED = "cutover.confirmed"
"""What is remembered of the one question asked before mail is moved."""


class Engine:
    """Runs the steps of a migration, or undoes them.

    Given the steps in their order, what executes commands, the record of what was done, and what steps may
    look at. `homeward` are the steps that end the rollback of a begun cut-over, `turning` those that begin the way back
    of one that is undone by itself. `confirm` is asked once: before the first step of the cut-over, with what is
    predicted of it, and before a rollback after which mail moves back. With `wait`, a run sleeps through waits.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        executor: Executor,
        record: Record,
        context: Context,
        *,
        homeward: Sequence[Step] = (),
        turning: Sequence[Step] = (),
        confirm: Callable[[str], bool] = lambda _told: True,
        wait: bool = False,
    ) -> None:
        self._steps = tuple(steps)
        self._homeward = tuple(homeward)
        self._turning = tuple(turning)
        self._executor = executor
        self._chronicle = Chronicle(record, context.now)
        self._tell = self._chronicle.tell
        self._context = replace(context, memory=MappingProxyType(record.state.memory), run=record.state.run)
        self._confirm = confirm
        self._suspension = Suspension(self._steps, context.plan.cutover)
        self._wait = wait
        self._last_deed: datetime | None = None
        self._step_under_way: str | None = None
        self._under_way = ""

    def run(self, *, until: str | None = None, accept_plan_change: bool = False) -> Events:
        """Yield what happens from where the record ends to the last step, or to the end of step `until`.

        Raises what ended the run: NotReady for a wait, Refused, VerifyFailed and every other MigrateError of
        a step, UsageError for an unknown `until` or a plan that changed, Interrupted after a signal.
        """
        self._expect_known(until)
        try:
            yield from self._begin(accept_plan_change)
            yield from self._all(until)
        except HostError as error:
            explain_loss(self._context, error, home=False)
            raise
        except Interrupted:
            yield self._chronicle.interrupted(self._step_under_way, self._under_way)
            raise

    def rollback(self) -> Events:
        """Yield what happens while everything that the record says was done is undone, and mail is brought home.

        Raises Refused before anything is touched where something cannot be undone, and what ended a step of the
        way home: NotReady for a wait, VerifyFailed and every other MigrateError.
        """
        try:
            self._go_by_the_record()
            yield from roll_back(
                self._steps,
                self._executor,
                self._chronicle,
                self._context,
                self._homeward,
                self._unless_finished,
                self._confirm,
            )
        except HostError as error:
            explain_loss(self._context, error, home=True)
            raise
        except Interrupted:
            yield self._chronicle.interrupted(None, "rollback")
            raise

    def _go_by_the_record(self) -> None:
        """Let steps see the plan that the record holds: what was done was done by it, whatever the file says now."""
        plan = journalled(self._context.plan, self._chronicle.state)
        self._context = replace(self._context, plan=plan)

    def _expect_known(self, name: str | None) -> None:
        names = [step.name for step in self._steps]
        if name is None or name in names:
            return
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        raise UsageError(
            f"There is no step {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""),
            expected=", ".join(names),
            seen=name,
            advice="give one of these names to --until",
        )

    def _begin(self, accept_plan_change: bool) -> Events:
        state, plan = self._chronicle.state, self._context.plan
        if state.rolling_back:
            raise Refused(
                "A rollback of this migration was begun and is not finished",
                host="operator",
                advice="finish it with `migrate rollback`, then start anew",
            )
        flat, fingerprint = plan.flatten(), plan.fingerprint()
        steps = told(self._steps)
        if not state.begun:
            yield self._tell(
                Kind.RUN_STARTED,
                text=plan.name,
                fingerprint=fingerprint,
                plan=flat,
                steps=steps,
                run=secrets.token_hex(8),
                format=FORMAT,
                path=str(plan.path),
                version=__version__,
            )
            self._context = replace(self._context, run=self._chronicle.state.run)
        elif state.fingerprint == fingerprint:
            yield self._tell(Kind.RUN_STARTED, text=plan.name, steps=steps, version=__version__)
        else:
            check(state, flat, self._steps, accept=accept_plan_change)
            yield self._tell(Kind.RUN_STARTED, text=plan.name, steps=steps, version=__version__)
            yield self._tell(
                Kind.PLAN_ACCEPTED, text="the plan was changed", fingerprint=fingerprint, plan=flat
            )

    def _all(self, until: str | None) -> Events:
        yield from self._finish_going_back()
        index, restarts = 0, 0
        while index < len(self._steps):
            step = self._steps[index]
            self._step_under_way = step.name
            try:
                yield from self._unless_finished(step)
            except StartOver as again:
                restarts += 1
                index = self._index_of(again, restarts)
                yield from self._start_over(step, again, index)
                continue
            except GoBack as overrun:
                yield from self._go_back(overrun)
                raise
            index += 1
            if step.name == until and index < len(self._steps):
                yield self._tell(Kind.RUN_STOPPED, step.name, f"stopped after {step.name}, as asked")
                return
        self._step_under_way = None
        yield self._ended()

    def _ended(self) -> Event:
        return self._tell(Kind.RUN_DONE, text="every step is done")

    def _unless_finished(self, step: Step) -> Events:
        if self._chronicle.state.finished(step.name) and not step.again(self._context):
            yield self._tell(Kind.STEP_SKIPPED, step.name, "done before")
            step.resumed(self._context)
            return
        while True:
            try:
                yield from self._step(step)
            except NotReady as wait:
                yield self._chronicle.waiting(step.name, wait, goes_on=self._wait)
                if not self._wait:
                    raise
                until = (wait.until or self._context.now() + POLL, self._suspension.deadline)
                self._sleep_until(min(filter(None, until)))
            except (StartOver, Interrupted, JournalError):
                raise
            except GoBack as error:
                yield self._chronicle.failed(step.name, error, goes_on=True)
                raise
            except MigrateError as error:
                yield self._chronicle.failed(step.name, error)
                self._suspension.expect_time(step, self._context.now(), error)
                raise
            else:
                return

    def _go_back(self, error: GoBack) -> Events:
        self._step_under_way, self._under_way = None, "going back"
        self._suspension.deadline = None
        yield from go_back(
            self._steps,
            self._executor,
            self._chronicle,
            self._context,
            error,
            turning=self._turning,
            drive=self._unless_finished,
        )

    def _finish_going_back(self) -> Events:
        """Go on with a going back that a run did not finish, and end as that run would have."""
        begun = self._chronicle.state.going_back
        if begun and not without_old(self._context):  # there is nothing to go back to
            error = GoBack(begun["text"], step=begun["to"], **begun["known"])
            yield from self._go_back(error)
            raise error

    def _step(self, step: Step) -> Events:
        yield self._started(step)
        self._keep_time(step)
        self._suspension.expect_time(step, self._context.now())
        self._last_deed = None
        self._under_way = "looking whether the step may start"
        step.ready(self._context)
        yield from self._ask(step)
        pending = self._chronicle.state.pending(step.name) if step.repeats else None
        if pending is not None:
            yield from self._perform(step.name, pending.sequence, pending.change)
        for attempt in range(1, step.attempts + 1):
            context = replace(self._context, attempt=attempt)
            self._suspension.expect_time(step, self._context.now())
            self._under_way = "looking what is missing"
            last = attempt == step.attempts
            try:
                for change in step.changes(context):
                    if self._suspension.starts(step, self._context.memory):
                        yield from self._suspend(step)
                    yield from self._change(step.name, change)
                    self._keep_time(step)
                    self._suspension.expect_time(step, self._context.now())
            except VerifyFailed as failure:
                if last:
                    raise
                complaint = failure.message
            else:
                complaint = self._complaint(step, context, last=last)
            if not complaint:
                break
            yield self._tell(Kind.MESSAGE, step.name, f"once more, because {complaint}")
        yield self._tell(Kind.STEP_DONE, step.name, "done")
        yield from self._reopened(step)

    def _keep_time(self, step: Step) -> None:
        begun = (one for one in self._steps if one.name in self._chronicle.state.steps)
        if all(one.can_go_back(self._context) for one in begun):
            self._suspension.follow(step, self._context.memory, self._context.now())
        else:
            self._suspension.deadline = None
        self._context = replace(self._context, deadline=self._suspension.deadline)

    def _suspend(self, step: Step) -> Events:
        since = {SINCE: self._context.now().isoformat()}
        # No step's own: mail goes on waiting when a run starts over.
        yield from self._change(None, Change("from now on mail waits", Note(), Undo.NOT_NEEDED, since))
        self._keep_time(step)

    def _reopened(self, step: Step) -> Events:
        memory = self._context.memory
        if real := self._suspension.real(step, memory, self._last_deed or self._context.now()):
            summary = time_told({**memory, **real})
            yield from self._change(None, Change(summary, Note(), Undo.NOT_NEEDED, real))

    def _started(self, step: Step) -> Event:
        chain = next(one for one in (self._steps, self._turning, self._homeward) if step in one)
        return self._tell(
            Kind.STEP_STARTED,
            step.name,
            headline(step),
            phase=step.phase.value,
            number=chain.index(step) + 1,
            of=len(chain),
        )

    def _complaint(self, step: Step, context: Context, *, last: bool) -> str:
        self._under_way = "measuring what was reached"
        try:
            return self._executor.check(lambda: step.verify(context))
        except VerifyFailed as failure:
            if last:
                raise
            return failure.message

    def _ask(self, step: Step) -> Events:
        if step.phase is not Phase.CUTOVER or CONFIRMED in self._context.memory:
            return
        question = step.question(self._context)
        if question.text:
            told = f"{question.text}\n{question.basis}".rstrip()
            yield self._tell(Kind.MESSAGE, step.name, told, **question.remember)
        if not self._confirm(question.text):
            raise Refused(
                "No mail was moved: the question before the cut-over was not answered with yes",
                host="operator",
                advice="type the command again when mail may move",
            )
        agreed = {CONFIRMED: self._context.now().isoformat(), **question.remember}
        # No step's own: starting over asks nobody twice.
        yield from self._change(None, Change("mail may move now", Note(), Undo.NOT_NEEDED, agreed))

    def _change(self, step: str | None, change: Change) -> Events:
        sequence, event = self._chronicle.plan(step, change)
        yield event
        yield from self._perform(step, sequence, change)

    def _perform(self, step: str | None, sequence: int, change: Change) -> Events:
        self._under_way = change.summary
        try:
            if not isinstance(change.do, Note):
                self._executor.execute(self._bounded(change.do))
        except (HostError, NotReady, StartOver, Interrupted):
            # Nobody knows how far it came: it stays planned, and is performed again.
            raise
        except MigrateError as error:
            yield self._tell(Kind.CHANGE_FAILED, step, error.message, host=change.do.host, planned=sequence)
            raise
        done = self._tell(Kind.CHANGE_DONE, step, change.summary, host=change.do.host, planned=sequence)
        self._last_deed = done.time
        yield done

    def _bounded(self, command: Command) -> Command:
        """Return the command, a pass of rsync with no more time than is left. What else there is, is short."""
        if isinstance(command, Rsync):
            return replace(command, longest=self._context.bounded(command.longest))
        return command

    def _index_of(self, again: StartOver, restarts: int) -> int:
        names = [step.name for step in self._steps]
        if again.step not in names or restarts > RESTARTS:
            raise self._given_up(again)
        return names.index(again.step)

    def _given_up(self, again: StartOver) -> MigrateError:
        error = VerifyFailed(
            f"{again.message}; the run went back to {again.step} {RESTARTS} times already",
            host=again.host,
            expected=again.expected,
            seen=again.seen,
            advice=again.advice,
        )
        self._chronicle.failed(self._step_under_way or again.step, error)
        return error

    def _start_over(self, step: Step, again: StartOver, index: int) -> Events:
        later = [one.name for one in self._steps[index:]]
        yield self._tell(
            Kind.STARTED_OVER, step.name, again.message, host=again.host, to=again.step, steps=later
        )

    def _sleep_until(self, until: datetime) -> None:
        # In short parts, and by the clock, for a machine that was asleep counts its own sleep as none; but no longer
        # than it was to be, for a clock that is set back would have it wait once more.
        left = (until - self._context.now()).total_seconds()
        while left > 0 and (remaining := (until - self._context.now()).total_seconds()) > 0:
            part = min(left, remaining, POLL.total_seconds())
            self._context.sleep(part)
            left -= part
