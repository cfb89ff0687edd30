"""Example steps, and an engine on a world that runs them with a journal on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest

from migrator.change import Change, FileEdit, Note, Shell, Undo, Upload
from migrator.engine import Engine, Rehearsal
from migrator.errors import (
    MigrateError,
    Refused,
    VerifyFailed,
)
from migrator.event import Event
from migrator.hosts.base import Output
from migrator.journal import Journal, State, read_state
from migrator.steps.base import Context, Phase, Step
from tests.fakes import FakeDryRun, FakeExecutor, World, make_plan


class Survey(Step):
    """Look at both hosts."""

    name = "survey"
    phase = Phase.PREPARE
    after = ""

    def changes(self, context: Context) -> Iterator[Change]:
        if "seen" not in context.memory:
            yield Change("note the clock", Note(), Undo.NOT_NEEDED, {"seen": context.now().isoformat()})

    def verify(self, context: Context) -> None:
        assert context.memory["seen"]


class WriteFile(Step):
    """Write one file, if it is not there yet."""

    phase = Phase.PRESYNC
    host: ClassVar[str] = "old"
    path: ClassVar[str]
    text: ClassVar[str]

    def changes(self, context: Context) -> Iterator[Change]:
        before = context.reader(self.host).read_file(self.path)
        if before != self.text:
            raw = before.encode() if before is not None else None
            there = FileEdit(self.path, raw, self.text.encode())
            back = FileEdit(self.path, self.text.encode(), raw)
            yield Change(
                f"write {self.path}", Upload("old", (there,)), Upload("old", (back,)), {self.name: "written"}
            )

    def verify(self, context: Context) -> None:
        seen = context.reader(self.host).read_file(self.path)
        if seen != self.text:
            raise VerifyFailed(
                f"{self.path} is not as written",
                host="old",
                expected=self.text,
                seen=str(seen),
                advice="look",
            )


class Relay(WriteFile):
    """Relay by mailertable."""

    name = "relay"
    after = "survey"
    phase = Phase.CUTOVER
    path = "/etc/mail/mailertable"
    text = "example.test esmtp:[198.51.100.20]\n"


class Names(WriteFile):
    """Take the domain out of local-host-names, in two changes."""

    name = "names"
    after = "relay"
    phase = Phase.CUTOVER
    path = "/etc/mail/local-host-names"
    text = "# empty\n"

    def changes(self, context: Context) -> Iterator[Change]:
        yield from super().changes(context)
        if "reloaded" not in context.memory:
            reload = Shell("old", "kill -HUP 1")
            noted = {"reloaded": context.memory.get("names", "before")}
            yield Change("reload the daemon", reload, Shell("old", "kill -HUP 1"), noted)


STEPS: tuple[Step, ...] = (Survey(), Relay(), Names())
FILES = {"/etc/mail/local-host-names": "example.test\n", "/etc/aliases": "root: user01\n"}
FAILED = Output(1, "", "")
WHOLE_RUN = [
    "run_started",
    "step_started survey",
    "change_planned survey",
    "change_done survey",
    "step_done survey",
    "step_started relay",
    "change_planned",
    "change_done",
    "change_planned relay",
    "change_done relay",
    "step_done relay",
    "step_started names",
    "change_planned names",
    "change_done names",
    "change_planned names",
    "change_done names",
    "step_done names",
    "run_done",
]


class Killed(BaseException):
    """The process ended here."""


class KillingJournal(Journal):
    """A journal whose process ends right after its n-th line from now."""

    lines = 1_000_000

    def append(self, event: Event) -> int:
        sequence = super().append(event)
        self.lines -= 1
        if self.lines == 0:
            raise Killed
        return sequence


@dataclass
class Bench:
    """An engine on a world, with a journal on the disk."""

    folder: Path
    world: World = field(default_factory=lambda: World(make_plan()))
    steps: tuple[Step, ...] = STEPS
    confirm: Callable[[str], bool] = lambda _told: True
    wait: bool = False
    homeward: tuple[Step, ...] = ()
    force: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.world.old.files = {path: text.encode() for path, text in FILES.items()}
        self.executor = FakeExecutor(self.world)

    def run(self, *, until: str | None = None, accept: bool = False, kill_after: int = 0) -> list[Event]:
        return self._drained(lambda engine: engine.run(until=until, accept_plan_change=accept), kill_after)

    def rollback(self, *, kill_after: int = 0) -> list[Event]:
        return self._drained(lambda engine: engine.rollback(), kill_after)

    def rehearse(self, *, until: str | None = None) -> tuple[list[Event], int]:
        rehearsal = Rehearsal(self.steps, FakeDryRun(), read_state(self.folder), self.world.context())
        return list(rehearsal.run(until=until)), rehearsal.exit_code

    @property
    def context(self) -> Context:
        return self.world.context(force=self.force)

    @property
    def state(self) -> State:
        return read_state(self.folder)

    def _drained(self, drive: Callable[[Engine], Iterator[Event]], kill_after: int) -> list[Event]:
        with closing(KillingJournal(self.folder)) as journal:
            journal.lines = kill_after or journal.lines
            engine = Engine(
                self.steps,
                self.executor,
                journal,
                self.context,
                homeward=self.homeward,
                confirm=self.confirm,
                wait=self.wait,
            )
            return list(drive(engine))


def with_step(bench: Bench, step: Step, *, at: int = 1) -> Bench:
    return replace(bench, world=bench.world, steps=(*bench.steps[:at], step, *bench.steps[at:]))


def told(bench: Bench, error: type[MigrateError]) -> list[Event]:
    """Run until the error, and return what was told before it."""
    events: list[Event] = []
    with closing(Journal(bench.folder)) as journal, pytest.raises(error):
        for event in Engine(bench.steps, bench.executor, journal, bench.world.context()).run():
            events.append(event)  # noqa: PERF402 - a comprehension would lose what came before the error
    return events


def refuse(_step: Step, _context: Context) -> None:
    raise Refused("not now")


class Probe(Step):
    """Do what a test says."""

    name = "probe"
    phase = Phase.PREPARE
    after = "survey"

    def __init__(self, **says: Callable[[Context], None]) -> None:
        self.says = says
        self.asked: list[str] = []

    def ready(self, context: Context) -> None:
        self._say("ready", context)

    def changes(self, context: Context) -> Iterator[Change]:
        self._say("changes", context)
        yield from ()

    def verify(self, context: Context) -> None:
        self._say("verify", context)

    def before_rollback(self, context: Context) -> None:
        self._say("before_rollback", context)

    def _say(self, what: str, context: Context) -> None:
        self.asked.append(what)
        if what in self.says:
            self.says[what](context)


def raising(error: MigrateError, *, times: int = 1_000_000) -> Callable[[Context], None]:
    left = iter(range(times))

    def say(_context: Context) -> None:
        if next(left, None) is not None:
            raise error

    return say
