"""Undoing the newest thing that a tool did to a host, by the undo that stands in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from migrator.change import Change, Undo
from migrator.engine.chronicle import Chronicle
from migrator.engine.rollback import undoable
from migrator.errors import Refused
from migrator.event import Event, Kind
from migrator.journal import Deed, State
from migrator.steps.base import Context, Phase, Step

if TYPE_CHECKING:
    from migrator.executor import Executor


def newest(state: State) -> str | None:
    """Return the name under which the journal holds the newest doing that is not undone, None where there is none."""
    return next((deed.step for deed in state.undoable() if deed.step and not _needs_nothing(deed)), None)


def undoings(name: str, state: State, context: Context) -> list[tuple[Deed, Change]]:
    """Return what undoes one doing, its newest change first.

    Raises Refused where a part of it cannot be undone, or where a file was edited since.
    """

    class Done(Step):
        phase = Phase.PREPARE
        after = ""

        def changes(self, context: Context) -> Iterator[Change]:
            yield from ()

        def verify(self, context: Context) -> None:
            """Nothing is measured of what is undone."""

    Done.name = name
    return undoable([Done()], state, context, names=(name,))


def undo(
    name: str, wanted: list[tuple[Deed, Change]], executor: Executor, chronicle: Chronicle
) -> Iterator[Event]:
    """Undo one doing and yield what happens. Raises what the executor raises; then undoing again goes on from there."""
    for deed, change in wanted:
        if isinstance(change.undo, Undo):
            raise Refused(f"this has no way back: {change.summary}", host=change.do.host)
        executor.execute(change.undo)
        text, host = f"undone: {change.summary}", change.undo.host
        yield chronicle.tell(Kind.CHANGE_UNDONE, name, text, host=host, planned=deed.sequence)
    yield chronicle.tell(Kind.STEP_UNDONE, name, "undone")


def _needs_nothing(deed: Deed) -> bool:
    return deed.change.undo is Undo.NOT_NEEDED
