"""State: what the lines of a journal add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from migrator.change import Change
from migrator.event import Event, Kind

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = 2
"""The format of a journal. 1 (not told) holds the plan; 2 tells also where its file was, and which version wrote."""

StepState = Literal["started", "waiting", "failed", "interrupted", "done", "undone"]


@cache
def _adapter() -> TypeAdapter[tuple[Change]]:
    # A tuple around the change lets one configuration hold for the dataclasses inside it.
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(tuple[Change], config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))


def encode(change: Change) -> dict[str, Any]:
    """Given a change, return it as plain JSON values, the bytes of files in base64."""
    encoded: dict[str, Any] = _adapter().dump_python((change,), mode="json")[0]
    return encoded


def decode(data: Mapping[str, Any]) -> Change:
    """Given what `encode` made, return the change. Raises ValueError where it is none."""
    return _adapter().validate_python((data,))[0]


@dataclass(slots=True)
class Deed:
    """A change as the journal knows it.

    `sequence` is the line that planned it; `forgotten` says that its step starts over, so that what it
    remembered no longer holds, while its undo still does.
    """

    sequence: int
    step: str | None
    data: Mapping[str, Any]
    state: Literal["planned", "done", "failed", "undone"] = "planned"
    forgotten: bool = False

    @property
    def summary(self) -> str:
        """Return the line that a mail administrator would write."""
        return str(self.data["summary"])

    @property
    def change(self) -> Change:
        """Return what was to be done and what undoes it. Raises ValueError where the line makes none."""
        return decode(self.data)


@dataclass(slots=True)
class StepRecord:
    """What is known of one step: its state, when it started and ended, and what it waits for or failed of."""

    name: str
    state: StepState = "started"
    started: datetime | None = None
    ended: datetime | None = None
    until: datetime | None = None
    text: str = ""


@dataclass
class State:
    """All that a run, a rollback and `status` need of the past. `memory` stays the same object for good."""

    run: str = ""  # the token that this run gave itself
    fingerprint: str = ""
    plan: dict[str, str] = field(default_factory=dict)
    chain: list[tuple[str, str, str]] = field(default_factory=list)  # name, phase and headline of each step
    order: list[str] = field(
        default_factory=list
    )  # every step that a run ever had, as they follow one another
    phases: dict[str, str] = field(default_factory=dict)  # of each of them
    homeward: set[str] = field(default_factory=set)  # which of them end a rollback
    format: int = 1
    version: str = ""  # of migrate, in the last run
    path: str = ""  # where the plan was
    steps: dict[str, StepRecord] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    memory: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    going_back: dict[str, Any] = field(
        default_factory=dict
    )  # what was said when it began; empty: it is not under way
    rolling_back: bool = False
    rolled_back: datetime | None = None
    last: datetime | None = None

    @property
    def begun(self) -> bool:
        """Return whether there is anything to resume or to undo."""
        return bool(self.steps or self.deeds) and self.rolled_back is None

    def finished(self, step: str) -> bool:
        """Return whether a step needs no more work."""
        record = self.steps.get(step)
        return record is not None and record.state == "done"

    def pending(self, step: str) -> Deed | None:
        """Return the change of a step that was planned and neither confirmed nor failed, if there is one."""
        open_deeds = (deed for deed in self.deeds if deed.step == step and not deed.forgotten)
        return next((deed for deed in open_deeds if deed.state == "planned"), None)

    def undoable(self) -> Iterator[Deed]:
        """Yield what is not undone, newest first; also what was only planned, for it may have been done."""
        return (deed for deed in reversed(self.deeds) if deed.state != "undone")

    def fold(self, sequence: int, event: Event) -> None:
        """Take one line of the journal into account.

        Raises KeyError or ValueError where the line contradicts those before it.
        """
        if event.kind is Kind.RUN_STARTED and self.rolled_back is not None:
            self._start_afresh()
        self.last = event.time
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, sequence, event)

    def _start_afresh(self) -> None:
        self.memory.clear()
        vars(self).update(vars(State(memory=self.memory)))

    def _deed(self, event: Event) -> Deed:
        planned = int(event.data["planned"])
        for deed in reversed(self.deeds):
            if deed.sequence == planned:
                return deed
        raise ValueError(f"no change was planned in line {planned}")

    def _remember(self) -> None:
        self.memory.clear()
        for deed in self.deeds:
            # On the way back, what may have been done counts as done.
            certain = deed.state == "done" or bool(self.going_back)
            if (certain and not deed.forgotten) or self.rolling_back:
                self.memory.update(deed.data["remember"])

    def _record(self, event: Event) -> StepRecord:
        if event.step is None:
            raise ValueError("the step has no name")
        return self.steps.setdefault(event.step, StepRecord(event.step))

    def _plan(self, _sequence: int, event: Event) -> None:
        if "plan" in event.data:
            self.fingerprint = str(event.data["fingerprint"])
            self.plan = dict(event.data["plan"])
        self.run = str(event.data.get("run", self.run))
        self.format = int(event.data.get("format", self.format))
        self.version = str(event.data.get("version", self.version))
        self.path = str(event.data.get("path", self.path))
        if "steps" in event.data:
            self.chain = [(str(name), str(phase), str(line)) for name, phase, line in event.data["steps"]]
            self._take_up(self.chain)

    def _take_up(self, chain: Sequence[tuple[str, str, str]]) -> None:
        """Take the steps of another run into the order; what they do not name any more stays behind its predecessor."""
        names = [name for name, _, _ in chain]
        merged = list(names)
        for place, name in enumerate(self.order):
            if name not in names:
                before = next((one for one in reversed(self.order[:place]) if one in merged), None)
                merged.insert(merged.index(before) + 1 if before else 0, name)
        self.order = merged
        self.phases.update((name, phase) for name, phase, _ in chain)

    def _step_started(self, _sequence: int, event: Event) -> None:
        record = self._record(event)
        self.phases.setdefault(record.name, str(event.data.get("phase", "")))
        record.state, record.ended, record.until, record.text = "started", None, None, ""
        record.started = record.started or event.time

    def _step_ended(self, _sequence: int, event: Event) -> None:
        record = self._record(event)
        record.state = _ENDS[event.kind]
        record.ended = event.time
        record.text = event.text
        until = event.data.get("until")
        record.until = datetime.fromisoformat(until) if until else None

    def _planned(self, sequence: int, event: Event) -> None:
        if not {"summary", "do", "undo", "remember"} <= event.data["change"].keys():
            raise ValueError("the planned change is not whole")
        self.deeds.append(Deed(sequence, event.step, event.data["change"]))

    def _settled(self, _sequence: int, event: Event) -> None:
        self._deed(event).state = _SETTLED[event.kind]
        self._remember()

    def _started_over(self, _sequence: int, event: Event) -> None:
        names = set(event.data["steps"])
        for name in names:
            self.steps.pop(name, None)
        for deed in self.deeds:
            deed.forgotten = deed.forgotten or deed.step in names
        self._remember()

    def _going_back(self, _sequence: int, event: Event) -> None:
        self.going_back = {"text": event.text, **event.data}
        self._remember()

    def _went_back(self, sequence: int, event: Event) -> None:
        self.going_back = {}
        for deed in self.deeds:
            # What belongs to no step is the answer to the question, and since when mail waits.
            deed.forgotten = deed.forgotten or deed.step is None
        self._started_over(sequence, event)

    def _interrupted(self, _sequence: int, event: Event) -> None:
        if event.step is not None and not self.finished(event.step):
            self._record(event).state = "interrupted"

    def _completed(self, _sequence: int, _event: Event) -> None:
        self.complete, self.going_back = True, {}

    def _rollback_started(self, _sequence: int, event: Event) -> None:
        self.rolling_back, self.complete, self.going_back = True, False, {}
        self.version = str(event.data.get("version", self.version))
        known = [name for name, _, _ in self.chain]
        ahead = [(str(name), str(phase), str(line)) for name, phase, line in event.data.get("steps", ())]
        self.chain += [step for step in ahead if step[0] not in known]
        self.homeward.update(name for name, _, _ in ahead)
        self._take_up(self.chain)
        self._remember()

    def _rollback_done(self, _sequence: int, event: Event) -> None:
        self.rolling_back, self.rolled_back = False, event.time
        self.memory.clear()


_ENDS: Mapping[Kind, StepState] = {
    Kind.STEP_DONE: "done",
    Kind.STEP_WAITING: "waiting",
    Kind.STEP_FAILED: "failed",
    Kind.STEP_UNDONE: "undone",
}
_SETTLED: Mapping[Kind, Literal["done", "failed", "undone"]] = {
    Kind.CHANGE_DONE: "done",
    Kind.CHANGE_FAILED: "failed",
    Kind.CHANGE_UNDONE: "undone",
}
_HANDLERS = {
    Kind.RUN_STARTED: State._plan,
    Kind.PLAN_ACCEPTED: State._plan,
    Kind.STEP_STARTED: State._step_started,
    Kind.CHANGE_PLANNED: State._planned,
    Kind.STARTED_OVER: State._started_over,
    Kind.GOING_BACK: State._going_back,
    Kind.WENT_BACK: State._went_back,
    Kind.INTERRUPTED: State._interrupted,
    Kind.RUN_DONE: State._completed,
    Kind.ROLLBACK_STARTED: State._rollback_started,
    Kind.ROLLBACK_DONE: State._rollback_done,
    **dict.fromkeys(_ENDS, State._step_ended),
    **dict.fromkeys(_SETTLED, State._settled),
}
