"""The way back: every undo of the record, and then the mail that the new host took meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from migrator import __version__
from migrator.change import Change, Undo, Upload
from migrator.engine.chronicle import Chronicle, headline
from migrator.engine.loss import refuse_way_home
from migrator.errors import Interrupted, JournalDamaged, MigrateError, Refused
from migrator.event import Event, Kind
from migrator.journal import Deed, JournalError, State
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.opening import OPENED

if TYPE_CHECKING:
    from migrator.executor import Executor

Events = Generator[Event, None, None]
Undoing = tuple[Deed, Change]

EDITED_FILES = "edited-files"
"""The word of --force that lets an undo put back files which somebody else has edited since."""


def roll_back(
    steps: Sequence[Step],
    executor: Executor,
    chronicle: Chronicle,
    context: Context,
    homeward: Sequence[Step],
    drive: Callable[[Step], Events],
    confirm: Callable[[str], bool] = lambda _told: True,
) -> Events:
    """Undo what the record says was done or begun, then go `homeward`, and yield what happens.

    What was done, in which order, and whether mail may have moved, the record alone says: a step that this version or
    the plan of today does not have is undone like any other. Given the steps of today, what executes commands, the
    record, what steps may look at (with the record's plan), and the steps that bring home the mail of a cutover that
    was begun, with what drives one of them. Raises Refused before anything is touched where a change cannot be
    undone, where a step refuses, or where mail has moved and `confirm`, which is told since when, does not say yes.
    """
    state = chronicle.state
    refuse_way_home(state, context)
    deeds = undoable(steps, state, context)
    begun = begun_steps(steps, state, homeward)
    ahead = tuple(homeward) if cutover_begun(steps, state) else ()
    for step in (*asked_before(steps, state, homeward), *ahead):
        step.before_rollback(context)
    _ask(state, confirm)
    yield chronicle.tell(
        Kind.ROLLBACK_STARTED, text=context.plan.name, steps=told(ahead), version=__version__
    )
    yield from undo_all(executor, chronicle, deeds, again="migrate rollback")
    for name in [name for name in begun if state.steps[name].state != "undone"]:
        yield chronicle.tell(Kind.STEP_UNDONE, name, "undone")
    for step in ahead:
        yield from drive(step)
    yield chronicle.tell(Kind.ROLLBACK_DONE, text="everything is as it was before")


def moved_since(state: State) -> str:
    """Return since when (ISO 8601) the new host takes mail, which a rollback brings home; "" where it never did."""
    remembered = (deed.data["remember"].get(OPENED) for deed in state.undoable())
    return min(filter(None, remembered), default="")


def _ask(state: State, confirm: Callable[[str], bool]) -> None:
    """Raise Refused where mail moves back and nobody wants that; a rollback that goes on was agreed to before."""
    since = moved_since(state)
    if not since or state.rolling_back or confirm(f"the new host takes mail since {since}"):
        return
    raise Refused(
        "Nothing was undone: the question whether mail may move back was not answered with yes",
        host="operator",
        advice="type the command again when it may",
    )


def undo_all(executor: Executor, chronicle: Chronicle, deeds: Sequence[Undoing], *, again: str) -> Events:
    """Undo what `undoable` has returned, and yield each change and each step that is undone.

    `again` is the command that goes on where an undo fails. Raises the MigrateError of that undo.
    """
    for number, (deed, change) in enumerate(deeds):
        yield from _undo(executor, chronicle, deed, change, again)
        if deed.step and all(later.step != deed.step for later, _ in deeds[number + 1 :]):
            yield chronicle.tell(Kind.STEP_UNDONE, deed.step, "undone")


def undoable(
    steps: Sequence[Step], state: State, context: Context, *, names: Collection[str] | None = None
) -> list[Undoing]:
    """Return what is to be undone: the last step of the chain first, and in each its newest change first.

    A run that started over did an earlier step's work again after a later step's; undone by time alone, the new
    host's port would open while the old one still relays. The chain is the record's; `steps` are asked only for what
    a record does not tell. With `names`, only the deeds of these steps. Raises Refused where something that was done,
    or may have been, cannot be undone, or where a file that an undo puts back was edited since.
    """
    places = {name: place for place, name in enumerate(order_of(steps, state))}
    known = [(deed, _change_of(deed)) for deed in state.undoable() if names is None or deed.step in names]
    # Stable: newest first in each step. What belongs to no step is a note, and comes last.
    known.sort(key=lambda undoing: -places.get(undoing[0].step or "", -1))
    if final := [undoing for undoing in known if undoing[1].undo is Undo.IMPOSSIBLE]:
        deed, change = final[-1]
        raise Refused(
            f"This migration cannot be rolled back any more: step {deed.step} did what has no way back: "
            f"{change.summary}",
            host=change.do.host,
            expected="only changes that can be undone",
            seen="; ".join(each.summary for _, each in final),
            advice="nothing was touched; the way on is `migrate run`",
        )
    wanted = [undoing for undoing in known if undoing[1].undo is not Undo.NOT_NEEDED]
    if EDITED_FILES in context.force:
        return [(deed, _regardless(change)) for deed, change in wanted]
    _expect_unedited(wanted, context)
    return wanted


def order_of(steps: Iterable[Step], state: State) -> list[str]:
    """Return the names of all steps that the record knows, in their order; of one that tells no order, the steps'.

    A step with deeds that stands in no chain comes after all others, which are undone later.
    """
    known = state.order or [step.name for step in steps]
    deeds = dict.fromkeys(deed.step for deed in state.deeds if deed.step and deed.step not in known)
    return [*known, *deeds, *(name for name in state.steps if name not in known and name not in deeds)]


def begun_steps(steps: Iterable[Step], state: State, homeward: Iterable[Step]) -> tuple[str, ...]:
    """Given the steps and the state, return the names of those that were begun and are not undone, newest first.

    The steps of the way home are none of them: what they do is not undone.
    """
    ahead = state.homeward | {step.name for step in homeward}
    known = [name for name in order_of(steps, state) if name in state.steps and name not in ahead]
    return tuple(reversed([name for name in known if state.steps[name].state != "undone"]))


def asked_before(steps: Sequence[Step], state: State, homeward: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps whose `before_rollback` is asked: those that were begun, newest first.

    Where a step was begun that is not known today, it may be any of today's under another name: then all are asked.
    """
    begun = begun_steps(steps, state, homeward)
    if set(begun) - {step.name for step in steps}:
        return tuple(reversed(steps))
    return tuple(reversed([step for step in steps if step.name in begun]))


def cutover_begun(steps: Iterable[Step], state: State) -> bool:
    """Return whether a step of the cutover was ever begun, undone since or not: mail may have moved."""
    phases = {step.name: step.phase.value for step in steps} | state.phases
    # A run that starts over forgets that its steps were begun, and not what they did.
    begun = [*state.steps, *(deed.step for deed in state.undoable() if deed.step)]
    return any(phases.get(name) == Phase.CUTOVER for name in begun)


def told(steps: Sequence[Step]) -> list[list[str]]:
    """Return name, phase and headline of each step, as the record keeps them."""
    return [[step.name, step.phase.value, headline(step)] for step in steps]


def _change_of(deed: Deed) -> Change:
    try:
        return deed.change
    except ValueError as error:
        raise JournalDamaged(
            f"Line {deed.sequence} of the journal holds a change that cannot be read: {deed.summary}",
            host="operator",
            expected="a change and what undoes it",
            seen=str(error).partition("\n")[0],
            advice="nothing was touched; put back a copy of the journal from a backup",
        ) from error


def _undo(
    executor: Executor, chronicle: Chronicle, deed: Deed, change: Change, again: str
) -> Iterator[Event]:
    if isinstance(change.undo, Undo):
        return
    host = change.undo.host
    try:
        executor.execute(change.undo)
    except (Interrupted, JournalError):
        raise
    except MigrateError as error:
        error.advice = error.advice or f"see to it, then type `{again}` again: it goes on from here"
        yield chronicle.failed(deed.step or "rollback", error)
        raise
    yield chronicle.tell(
        Kind.CHANGE_UNDONE, deed.step, f"undone: {change.summary}", host=host, planned=deed.sequence
    )


def _regardless(change: Change) -> Change:
    """Return the change with an undo that puts its files back whatever stands in them now."""
    if not isinstance(change.undo, Upload):
        return change
    files = tuple(replace(edit, check=False) for edit in change.undo.files)
    return replace(change, undo=replace(change.undo, files=files))


def _expect_unedited(undoings: Iterable[Undoing], context: Context) -> None:
    """Raise Refused where a file is neither as a change left it nor as its undo shall leave it.

    Where several changes edited one file, each of their states is known: the undo of the last one is the first.
    """
    known: dict[tuple[str, str], set[bytes | None]] = {}
    for _, change in undoings:
        if isinstance(change.undo, Upload):
            for edit in change.undo.files:
                if edit.check:
                    place = (change.undo.host, edit.path)
                    known.setdefault(place, set()).update((edit.before, edit.after))
    edited: list[str] = []
    for host in ("old", "new"):
        paths = tuple(path for where, path in known if where == host)
        found = context.reader(host).read_files(paths) if paths else {}
        for path in paths:
            text = found.get(path)
            content = None if text is None else text.encode("utf-8", "surrogateescape")
            if content not in known[host, path]:
                edited.append(f"{path} on the {host} host")
    if edited:
        raise Refused(
            "Files that a rollback puts back were edited since the run wrote them",
            host="operator",
            expected="every file as the run left it",
            seen="; ".join(edited),
            advice="nothing was touched; keep a copy of what was added there, then --force "
            f"{EDITED_FILES} puts the files of before back all the same",
            lifted_by=EDITED_FILES,
        )
