"""One step between two simulated hosts: what it yields, done as the engine would, and what it measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from migrator.change import AddressSet, Change, FileEdit, Rsync, Shell, Undo, Upload
from migrator.net.question import Answer
from migrator.plan import HostPlan
from migrator.plan.shapes import Strategy
from migrator.steps.base import Context, Step
from tests.fakes import FakeNames, World
from tests.steps.simulation import SimulatedExecutor, SimulatedHost, simulated

LISTENER = (77, 77, 90_000, "sendmail: MTA: accepting connections")
"""A daemon that started 100 s ago, a second before sendmail.cf is read as written."""


class Stage:
    """A step, its hosts, and what earlier changes remembered."""

    def __init__(self, step: Step, strategy: Strategy = "hold") -> None:
        self.step = step
        self.world = simulated(strategy)
        self.memory: dict[str, str] = {}
        self.executor = SimulatedExecutor(self.world)

    @property
    def old(self) -> SimulatedHost:
        return _simulated(self.world, "old")

    @property
    def new(self) -> SimulatedHost:
        return _simulated(self.world, "new")

    def plan(self, **changes: Any) -> None:
        """Change fields of the plan."""
        plan = replace(self.world.plan, **changes)
        self.world.plan = self.old.plan = self.new.plan = plan

    def plan_dns(self, **changes: Any) -> None:
        """Change fields of the plan's DNS."""
        self.plan(dns=replace(self.world.plan.dns, **changes))

    def plan_new(self, *addresses: str) -> None:
        """Give the new host these addresses."""
        self.plan(new=HostPlan("root@198.51.100.20", addresses))

    def facts(self, host: str, **changes: Any) -> None:
        """Change what a look at a host tells."""
        self.world.facts[host] = replace(self.world.facts[host], **changes)

    def context(self, **changes: Any) -> Context:
        return self.world.context(**{"memory": self.memory, **changes})

    def ready(self, **context: Any) -> None:
        self.step.ready(self.context(**context))

    def look(self, **context: Any) -> list[Change]:
        """Return what the step would yield if nothing were done."""
        return list(self.step.changes(self.context(**context)))

    def perform(self, **context: Any) -> list[Change]:
        """Do each change before the next is asked for, and return them."""
        performed = []
        for change in self.step.changes(self.context(**context)):
            self.executor.execute(change.do)
            self.memory.update(change.remember)
            performed.append(change)
        return performed

    def verify(self, **context: Any) -> None:
        self.step.verify(self.context(**context))

    @property
    def passes(self) -> list[tuple[int, bool, str]]:
        """Return the passes of rsync that were made: the tree, whether it deletes, and its scope."""
        return [
            (tree, command.delete, command.scope)
            for command in self.executor.performed
            if isinstance(command, Rsync)
            for tree in command.trees
        ]


class LateNames(FakeNames):
    """A DNS whose second server still says what was, until it has been asked `rounds` times."""

    def __init__(self, *sets: AddressSet, late: Sequence[AddressSet], rounds: int = 1_000_000) -> None:
        super().__init__(*sets)
        self.late = FakeNames(*late)
        self.rounds = rounds

    def authoritative(self, name: str) -> tuple[Answer, ...]:
        current = super().authoritative(name)
        if self.rounds <= 0:
            return current
        self.rounds -= 1
        return current[:2] + self.late.authoritative(name)[2:]


def processes(host: SimulatedHost, *rows: tuple[int, int, int, str], written: int = 1000) -> None:
    """Let a host's Sendmail processes be these: number, session, start in ticks of 1/100 s, and title.

    The host has been up for 1,000 s; sendmail.cf was written `written` seconds ago.
    """
    text = "".join(
        f"0\0{pid} (sendmail-mta) S 1 {session} {session} {'0 ' * 15}{started}\0{title}\0"
        for pid, session, started, title in rows
    )
    host.on(r"CLK_TCK.*proc", f"1000.0 100 5000 {5000 - written}\n{text}\0")


def queued(name: str, *recipients: str, reason: str = "Deferred: Connection refused") -> str:
    """Return a control file of the queue, as its reader frames it."""
    lines = ["V8", "T1796000000", "K1796000100", "N1", f"M{reason}", "S<sender@example.net>"]
    lines += [f"RPFD:<{recipient}>" for recipient in recipients]
    return "".join(f"/var/spool/mqueue/{name}\0{line}\n" for line in [*lines, "."])


def queue(host: SimulatedHost, *messages: str) -> None:
    """Let a host's queue hold these messages."""
    host.on(r"read_queue", "".join(messages) + "\0")


def edits(change: Change) -> dict[str, str | None]:
    """Return the files that a change writes, each with its new text (None: removed)."""
    return _texts(upload(change).files)


def undone(change: Change) -> dict[str, str | None]:
    """Return the files that a change's undo writes, each with its text."""
    assert isinstance(change.undo, Upload)
    return _texts(change.undo.files)


def upload(change: Change) -> Upload:
    """Return what a change uploads."""
    assert isinstance(change.do, Upload)
    return change.do


def script(change: Change) -> str:
    """Return the script that a change runs."""
    assert isinstance(change.do, Shell)
    return change.do.script


def undo_script(change: Change) -> str:
    """Return the script that undoes a change."""
    assert not isinstance(change.undo, Undo)
    assert isinstance(change.undo, Shell)
    return change.undo.script


def summaries(changes: Sequence[Change]) -> list[str]:
    """Return the line of each change."""
    return [change.summary for change in changes]


def _texts(files: Sequence[FileEdit]) -> dict[str, str | None]:
    return {edit.path: None if edit.after is None else edit.after.decode() for edit in files}


def _simulated(world: World, name: str) -> SimulatedHost:
    host = world.host(name)
    assert isinstance(host, SimulatedHost)
    return host
