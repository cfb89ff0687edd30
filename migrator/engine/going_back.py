"""The way back of a cutover that takes too long: its steps are undone, and a later run begins with them anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from migrator.engine.chronicle import Chronicle
from migrator.engine.rollback import Events, order_of, undo_all, undoable
from migrator.errors import GoBack
from migrator.event import Kind
from migrator.executor.base import Executor
from migrator.steps.base import Context, Step
from migrator.steps.common.opening import opened


def go_back(
    steps: Sequence[Step],
    executor: Executor,
    chronicle: Chronicle,
    context: Context,
    error: GoBack,
    *,
    turning: Sequence[Step] = (),
    drive: Callable[[Step], Events] | None = None,
) -> Events:
    """Undo what was done from the step on that the error names, newest first, and yield what happens.

    Given the steps, what executes commands, the record, and what steps may look at. Before anything is undone the
    steps `turning` are driven by `drive`: they close the new host again and bring home what it took. Raises Refused
    before anything is touched where a change cannot be undone; what ends it midway is gone on with by a later run.
    """
    names = order_of(steps, chronicle.state)
    later = names[names.index(error.step) :]
    deeds = undoable(steps, chronicle.state, context, names=later)
    known = {"host": error.host, "expected": error.expected, "seen": error.seen, "advice": error.advice}
    yield chronicle.tell(Kind.GOING_BACK, None, error.message, to=error.step, known=known)
    if drive is not None and opened(context):
        for step in turning:
            yield from drive(step)
    yield from undo_all(executor, chronicle, deeds, again="migrate run")
    yield chronicle.tell(
        Kind.WENT_BACK,
        None,
        f"the state before the cutover is back; a later run begins with {error.step}",
        to=error.step,
        steps=[*later, *(step.name for step in turning)],
    )
