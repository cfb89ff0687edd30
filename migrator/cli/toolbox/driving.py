"""How a tool is driven: measured, its changes shown, asked about, done by the engine, measured again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from migrator.change import Command, Undo, Upload
from migrator.cli.signals import Shield
from migrator.cli.streams import agreed, silence
from migrator.cli.toolbox.common import Common
from migrator.cli.toolbox.target import Target, reached, target
from migrator.cli.wiring import Tools
from migrator.engine import Engine
from migrator.engine.chronicle import Chronicle
from migrator.errors import Interrupted, MigrateError, Refused
from migrator.event import Event, Kind
from migrator.executor import DryRunExecutor
from migrator.journal import Journal, Lock, State, read_state
from migrator.steps.common.configure import DERIVED
from migrator.toolbox.base import Tool, numbered
from migrator.toolbox.undo import newest, undo, undoings

_INNER = (Kind.RUN_STARTED, Kind.RUN_DONE, Kind.PLAN_ACCEPTED)
"""What the engine says of a migration, and no tool has to say."""

Make = Callable[[Target], Tool]


@dataclass
class Desk:
    """What one command of the toolbox works with: its host, what it may look at, and where it tells what happens."""

    common: Common
    target: Target
    tools: Tools
    shield: Shield
    tell: Callable[[Event], None]

    def say(self, text: str, kind: Kind = Kind.MESSAGE, **data: Any) -> None:
        """Tell something that is no part of the journal."""
        self.tell(Event(kind, datetime.now(UTC), host=self.target.host, text=text, data=data))

    def say_measured(self, when: str, found: Mapping[str, str]) -> None:
        """Tell what a tool measured, as lines for a person and as data for a program."""
        width = max(map(len, found), default=0)
        rows = [f"{name:{width}}  {words}" for name, words in found.items()]
        self.say("\n".join([when, *rows]), when=when, measured=dict(found))

    def preview(self, dry: DryRunExecutor, summary: str, command: Command) -> None:
        """Tell what a command would do: the difference of every file, what is only derived from others left out."""
        if isinstance(command, Upload):
            command = replace(
                command, files=tuple(edit for edit in command.files if edit.path not in DERIVED)
            )
        self.say(dry.preview(command), Kind.CHANGE_PREVIEW, summary=summary)

    def agree(self, question: str) -> None:
        """Ask on the terminal, unless --yes answered ahead. Raises Refused for a no, and where nobody can be asked."""
        if self.common.yes:
            return
        if not sys.stdin.isatty():
            raise Refused(
                "Nobody can be asked: this is no terminal", host="operator", advice="answer ahead with --yes"
            )
        if not agreed(question):
            raise Refused("Nothing was changed: the question was not answered with yes", host="operator")


def perform(common: Common, make: Make) -> int:
    """Show what a tool would change, ask, do it, measure again; return the exit code.

    Raises the MigrateError that ended it; what was done until then can be undone.
    """
    with desk(common) as here:
        tool, context = make(here.target), here.tools.context
        tool.ready(context)
        here.say_measured("before", tool.measured(context))
        dry, count, way_back = here.tools.dry(), 0, False
        for change in tool.changes(context):
            here.preview(dry, change.summary, change.do)
            count += 1
            way_back = way_back or change.undo is not Undo.NOT_NEEDED
        if not count:
            tool.verify(context)
            here.say("already so: nothing is to be changed", Kind.RUN_DONE, changed=False)
            return 0
        if common.dry_run:
            here.say("this was a rehearsal: nothing was changed", Kind.RUN_STOPPED, changed=False)
            return 0
        here.agree(f"Do this on {here.target.shown}?")
        with _journal(here) as journal:
            live = tool.executor(here.tools.live())
            engine = Engine((numbered(tool, journal.state),), live, journal, context)
            _follow(engine.run(accept_plan_change=True), here)
        here.say_measured("after", tool.measured(context))
        back = "; `migrate sendmail undo` takes it back" if way_back else ""
        here.say(f"done{back}", Kind.RUN_DONE, changed=True)
    return 0


def measure(common: Common, make: Make) -> int:
    """Only tell what a tool measures, and return the exit code. Raises MigrateError where it cannot be measured."""
    with desk(common) as here:
        tool = make(here.target)
        here.say_measured("now", tool.measured(here.tools.context))
    return 0


def undo_newest(common: Common) -> int:
    """Undo the newest doing of a tool on a host, and return the exit code.

    Raises Refused before anything is touched where that cannot be done.
    """
    with desk(common) as here:
        state = read_state(here.target.plan.state_dir)
        name = newest(state)
        if name is None:
            here.say(
                f"no tool did anything to {here.target.shown} that is not undone",
                Kind.RUN_DONE,
                changed=False,
            )
            return 0
        wanted, dry = undoings(name, state, here.tools.context), here.tools.dry()
        for _, change in wanted:
            if not isinstance(change.undo, Undo):
                here.preview(dry, f"undo: {change.summary}", change.undo)
        if common.dry_run:
            here.say("this was a rehearsal: nothing was changed", Kind.RUN_STOPPED, changed=False)
            return 0
        here.agree(f"Undo {name} on {here.target.shown}?")
        with _journal(here) as journal:
            if _done(read_state(here.target.plan.state_dir)) != _done(state):
                raise Refused(
                    "Another process worked on this host meanwhile",
                    host="operator",
                    expected="the journal as it was when this was shown",
                    seen="more lines",
                    advice="see what it did (`migrate sendmail undo --dry-run`), then type the command again",
                )
            chronicle = Chronicle(journal, here.tools.context.now)
            _follow(undo(name, wanted, here.tools.live(), chronicle), here)
        here.say(f"{name} is undone", Kind.RUN_DONE, changed=True)
    return 0


def _done(state: State) -> list[int]:
    """Return the places in the journal of all that could be undone."""
    return [deed.sequence for deed in state.undoable()]


@contextmanager
def desk(common: Common) -> Iterator[Desk]:
    """Given the options, listen to signals, and give what a command works with; hosts are left at the end."""
    chosen = target(common)
    report = _report(common)
    shield = Shield()
    broken = False

    def tell(event: Event) -> None:
        nonlocal broken
        if broken or (event.kind in _INNER and "changed" not in event.data):
            return
        try:
            report.show(_worded(event, chosen))
        except OSError:
            broken = True  # what is under way does not end for a closed pipe
            silence(sys.stdout)

    with ExitStack() as stack:
        stack.callback(report.close)
        stack.enter_context(shield.listening())
        tools = stack.enter_context(reached(chosen, frozenset(common.force or ()), tell))
        with _worded_errors(chosen):
            yield Desk(common, chosen, tools, shield, tell)


@contextmanager
def _journal(here: Desk) -> Iterator[Journal]:
    folder, migration = here.target.plan.state_dir, here.target.migration
    with ExitStack() as stack:
        if migration and migration.exists():
            stack.enter_context(Lock(migration))  # a run that is under way reads and edits the same files
        stack.enter_context(Lock(folder))
        journal = Journal(folder, shield=here.shield)
        stack.callback(journal.close)
        yield journal


def _follow(events: Iterator[Event], here: Desk) -> None:
    try:
        for event in events:
            with here.shield:
                here.tell(event)
    except Interrupted as interruption:
        if hasattr(events, "throw"):
            here.tell(events.throw(interruption))
        raise


def _worded(event: Event, chosen: Target) -> Event:
    """Return an event in which the host has the name that the command line gave it, and no phase of a migration."""
    data = {
        key: chosen.words(value) if isinstance(value, str) else value for key, value in event.data.items()
    }
    data.pop("phase", None)
    host = chosen.shown if event.host == chosen.host else event.host
    return replace(event, text=chosen.words(event.text), host=host, data=data)


@contextmanager
def _worded_errors(chosen: Target) -> Iterator[None]:
    try:
        yield
    except MigrateError as error:
        error.message = chosen.words(error.message)
        for name in ("expected", "seen", "advice"):
            setattr(error, name, chosen.words(getattr(error, name) or "") or None)
        error.host = chosen.shown if error.host == chosen.host else error.host
        raise


def _report(common: Common) -> Any:
    if common.json:
        from migrator.report.json_lines import JsonLines

        return JsonLines(sys.stdout)
    from migrator.report.terminal import SteadyConsole, Terminal

    return Terminal(SteadyConsole(highlight=False))
