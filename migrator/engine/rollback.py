"""The way back: every undo of the record, newest first."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from migrator.change import Change, Undo
from migrator.engine.chronicle import Chronicle
from migrator.errors import Interrupted, MigrateError, Refused
from migrator.event import Event, Kind
from migrator.journal import Deed, JournalError, State
from migrator.steps.base import Context, Step

if TYPE_CHECKING:
    from migrator.executor import Executor


def roll_back(
    steps: Sequence[Step], executor: Executor, chronicle: Chronicle, context: Context
) -> Generator[Event, None, None]:
    """Undo what the record says was done or begun, and yield what happens.

    Given the steps, what executes commands, the record and what steps may look at. Raises Refused before
    anything is touched where a change cannot be undone, or where a step refuses.
    """
    state = chronicle.state
    deeds = expect_undoable(state)
    begun = touched(steps, state)
    for step in begun:
        step.before_rollback(context)
    yield chronicle.tell(Kind.ROLLBACK_STARTED, text=context.plan.name)
    for number, (deed, change) in enumerate(deeds):
        yield from _undo(executor, chronicle, deed, change)
        if deed.step and all(later.step != deed.step for later, _ in deeds[number + 1 :]):
            yield chronicle.tell(Kind.STEP_UNDONE, deed.step, "undone")
    for name in [step.name for step in begun if state.steps[step.name].state != "undone"]:
        yield chronicle.tell(Kind.STEP_UNDONE, name, "undone")
    yield chronicle.tell(Kind.ROLLBACK_DONE, text="everything is as it was before")


def expect_undoable(state: State) -> list[tuple[Deed, Change]]:
    """Given the state, return what is to be undone, newest first.

    Raises Refused where something that was done, or may have been, cannot be undone.
    """
    known = [(deed, deed.change) for deed in state.undoable()]
    final = [(deed, change) for deed, change in known if change.undo is Undo.IMPOSSIBLE]
    if final:
        deed, change = final[-1]
        raise Refused(
            f"This migration cannot be rolled back any more: step {deed.step} did what has no way back: "
            f"{change.summary}",
            host=change.do.host,
            expected="only changes that can be undone",
            seen="; ".join(each.summary for _, each in final),
            advice="nothing was touched; the way on is `migrate run`",
        )
    return [(deed, change) for deed, change in known if change.undo is not Undo.NOT_NEEDED]


def touched(steps: Iterable[Step], state: State) -> tuple[Step, ...]:
    """Given the steps and the state, return those that were begun and are not undone, newest first."""
    known = [step for step in steps if step.name in state.steps]
    return tuple(reversed([step for step in known if state.steps[step.name].state != "undone"]))


def _undo(executor: Executor, chronicle: Chronicle, deed: Deed, change: Change) -> Iterator[Event]:
    if isinstance(change.undo, Undo):
        return
    host = change.undo.host
    try:
        executor.execute(change.undo)
    except (Interrupted, JournalError):
        raise
    except MigrateError as error:
        error.advice = error.advice or "see to it, then type `migrate rollback` again: it goes on from here"
        yield chronicle.failed(deed.step or "rollback", error)
        raise
    yield chronicle.tell(
        Kind.CHANGE_UNDONE, deed.step, f"undone: {change.summary}", host=host, planned=deed.sequence
    )
