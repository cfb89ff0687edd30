"""`run`, `resume`, `rollback` and `check`: objects wired, events shown, an exit code returned."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from migrator.cli.finding import Found, expect_files, expect_name, found
from migrator.cli.outcome import Call
from migrator.cli.signals import Shield
from migrator.cli.streams import agreed, silence
from migrator.errors import Interrupted, Refused, UsageError
from migrator.event import Event, Kind
from migrator.journal import Journal, Lock, State, read_state
from migrator.plan import Plan, load
from migrator.report.text import clean
from migrator.steps.common.words import some

if TYPE_CHECKING:
    from migrator.engine.run import Events
    from migrator.toolbox.planned import Chain


class Report(Protocol):
    """What shows events."""

    def show(self, event: Event) -> None:
        """Show one event."""

    def close(self) -> None:
        """Leave the stream as it was."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line of a run."""

    dry_run: bool = False
    until: str | None = None
    wait: bool = False
    yes: bool = False
    force: frozenset[str] = frozenset()
    accept_plan_change: bool = False
    full: bool = False


def run(call: Call, state_root: Path | None, wishes: Wishes) -> int:
    """Run or rehearse the migration of a plan, show what happens, and return the exit code.

    Raises the MigrateError that ended it.
    """
    plan = load(call.plan, state_root=state_root, files=True)
    state = read_state(plan.state_dir)
    if not _left_to_run(call, plan, state):
        return 0
    if wishes.dry_run:
        return _rehearse(call, plan, wishes, state)
    shield = Shield()
    with _driving(call, plan, shield) as (report, journal):
        state = read_state(plan.state_dir)  # another process may have gone on until it let go of the lock
        if not _left_to_run(call, plan, state):
            return 0
        from migrator.cli.wiring import wired
        from migrator.engine import Engine
        from migrator.steps.homeward import turning

        chain = _chain(plan, state, wishes.force)
        with wired(plan, wishes.force, _keeper(journal, report)) as tools:
            engine = Engine(
                chain.steps,
                chain.armed(tools.live()),
                journal,
                tools.context,
                turning=turning(),
                confirm=_question(call, report, _moves(plan), yes=wishes.yes),
                wait=wishes.wait,
            )
            events = engine.run(until=wishes.until, accept_plan_change=wishes.accept_plan_change)
            _follow(events, report, shield, call)
    return 0


def rollback(call: Call, state_root: Path | None, wishes: Wishes) -> int:
    """Undo, or rehearse undoing, what the journal says was done, and return the exit code.

    The plan is the journal's, whatever the file says now. Raises the MigrateError that ended it: Refused before
    anything was touched.
    """
    known = found(call.plan, state_root)
    if not _left_to_undo(call, known):
        return 0
    if wishes.dry_run:
        _tell_edited(call, known)
        return _rehearse(call, known.plan, wishes, known.state)
    shield = Shield()
    with _driving(call, known.plan, shield) as (report, journal):
        known = found(call.plan, state_root)  # another process may have gone on until it let go of the lock
        if not _left_to_undo(call, known):
            return 0
        _tell_edited(call, known)
        plan = known.plan
        from migrator.cli.wiring import wired
        from migrator.engine import Engine
        from migrator.steps.homeward import homeward

        with wired(plan, wishes.force, _keeper(journal, report)) as tools:
            engine = Engine(
                _chain(plan, None).steps,
                tools.live(),
                journal,
                tools.context,
                homeward=homeward(),
                confirm=_question(call, report, _moves_back(plan), yes=wishes.yes),
                wait=wishes.wait,
            )
            _follow(engine.rollback(), report, shield, call)
    return 0


def _left_to_run(call: Call, plan: Plan, state: State) -> bool:
    """Return whether a run has something to do, and say so where it has not.

    Raises UsageError where a run shall go on that was not begun, Refused where it was begun under another name.
    """
    if call.command == "resume" and not state.begun:
        raise UsageError(
            f"There is nothing to resume: {plan.name} has no run that was begun",
            host="operator",
            advice=f"start it with `{call.typed('run')}`",
        )
    if not state.begun:
        expect_name(plan, done=False)
    if state.complete:
        _say_complete(call, plan, state)
    return not state.complete


def _left_to_undo(call: Call, known: Found) -> bool:
    """Return whether there is something to undo, and say so where there is not.

    Raises PlanError where a file of this machine is not there that it needs.
    """
    if known.state.begun:
        expect_files(known.plan)
    else:
        nothing = f"nothing was done by the journal in {known.plan.state_dir}, so there is nothing to undo"
        _tell(call, Kind.MESSAGE, f"{known.plan.name}: {nothing}")
    return known.state.begun


def _tell_edited(call: Call, known: Found) -> None:
    if known.told:
        _tell(call, Kind.MESSAGE, known.told)


def check(call: Call, state_root: Path | None) -> int:
    """Look at everything that a run would meet, show the findings, and return the exit code: 3 where one fails."""
    from migrator.check import Level
    from migrator.check import check as findings
    from migrator.cli.wiring import wired
    from migrator.report.findings import show

    plan = load(call.plan, state_root=state_root, files=True)
    state = read_state(plan.state_dir)
    with Shield().listening(), wired(plan, frozenset(), lambda _event: None) as tools:
        rows = [
            {
                "name": one.name,
                "level": one.level.value,
                "host": one.host,
                "text": one.text,
                "advice": one.advice,
                **({"detail": one.detail} if one.detail else {}),
            }
            for one in findings(replace(tools.context, memory=state.memory, run=state.run))
        ]
    show(rows, json=call.json)
    return Refused.exit_code if any(one["level"] == Level.FAIL.value for one in rows) else 0


def _rehearse(call: Call, plan: Plan, wishes: Wishes, state: State) -> int:
    from migrator.cli.wiring import wired
    from migrator.engine import Rehearsal
    from migrator.steps.homeward import homeward

    shield = Shield()
    chain = _chain(plan, None if call.command == "rollback" else state, wishes.force)
    with ExitStack() as stack:
        report = _report(call)
        stack.callback(report.close)
        stack.enter_context(shield.listening())
        tools = stack.enter_context(wired(plan, wishes.force, report.show))
        dry = tools.dry(full=True) if wishes.full else tools.dry()
        rehearsal = Rehearsal(chain.steps, dry, state, tools.context, homeward=homeward())
        if call.command == "rollback":
            events = rehearsal.rollback()
        else:
            events = rehearsal.run(until=wishes.until, accept_plan_change=wishes.accept_plan_change)
        _follow(events, report, shield, call)
        return rehearsal.exit_code


def _chain(plan: Plan, state: State | None, force: frozenset[str] = frozenset()) -> Chain:
    """Return the steps of a plan with the tools that it asks for; without a state, only as far as an undo needs."""
    from migrator import steps
    from migrator.steps.lost import LOST, OLD_HOST_LOST, alone
    from migrator.toolbox.planned import chained

    def needed(name: str) -> bool:
        return state is not None and not state.finished(name)

    chain = chained(steps.ordered(plan.cutover.strategy), plan, needed)
    if state is None or not (OLD_HOST_LOST in force or LOST in state.memory):
        return chain
    finished = [step.name for step in chain.steps if state.finished(step.name)]
    return replace(chain, steps=alone(chain.steps, finished))


@contextmanager
def _driving(call: Call, plan: Plan, shield: Shield) -> Iterator[tuple[Report, Journal]]:
    """Hold the lock and the journal, listen to signals, and give a place to show events."""
    with ExitStack() as stack:
        stack.enter_context(Lock(plan.state_dir))
        journal = Journal(plan.state_dir, shield=shield)
        stack.callback(journal.close)
        report = _report(call)
        stack.callback(report.close)
        stack.enter_context(shield.listening())
        yield report, journal


def _report(call: Call) -> Report:
    if call.json:
        from migrator.report.json_lines import JsonLines

        return JsonLines(sys.stdout)
    from migrator.report.terminal import SteadyConsole, Terminal

    return Terminal(SteadyConsole(highlight=False))


_BACKWARDS = (Kind.CHANGE_UNDONE, Kind.STEP_UNDONE)
"""What is undone is not what a run ended of: that is the step which took too long, or whose undo failed."""


def _follow(events: Events, report: Report, shield: Shield, call: Call) -> None:
    """Show every event; a signal that comes while one is shown reaches the engine all the same."""
    show = _unbreakable(report)
    try:
        for event in events:
            if event.kind not in _BACKWARDS:
                call.step = event.step or call.step
            with shield:
                show(event)
    except Interrupted as interruption:
        show(events.throw(interruption))
        raise


def _unbreakable(report: Report) -> Callable[[Event], None]:
    """Return what shows events until nobody reads them any more: a move does not end for a closed pipe."""
    broken = False

    def show(event: Event) -> None:
        nonlocal broken
        if not broken:
            try:
                report.show(event)
            except OSError:
                broken = True
                silence(sys.stdout)

    return show


def _keeper(journal: Journal, report: Report) -> Callable[[Event], None]:
    """Return what the executor tells things to: messages (an SMTP dialogue) are kept, progress is only shown."""
    show = _unbreakable(report)

    def tell(event: Event) -> None:
        if event.kind is Kind.MESSAGE:
            journal.append(event)
        show(event)

    return tell


def _moves(plan: Plan) -> str:
    return f"From here on mail for {some(plan.domains)} moves to {plan.new.ssh}"


def _moves_back(plan: Plan) -> str:
    return f"From here on mail for {some(plan.domains)} moves back to {plan.old.ssh}"


def _question(call: Call, report: Report, moves: str, *, yes: bool) -> Callable[[str], bool]:
    words = "move back" if call.command == "rollback" else "move"

    def ask(told: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise Refused(
                f"Nobody can be asked whether mail may {words} now: this is no terminal",
                host="operator",
                advice=f"answer ahead: `{call.typed('', '--yes')}`",
            )
        report.close()
        return agreed(f"{moves}; {clean(told)}. Go on?" if told else f"{moves}. Go on?")

    return ask


def _say_complete(call: Call, plan: Plan, state: State) -> None:
    when = state.last.astimezone().strftime("%Y-%m-%d %H:%M") if state.last else "before"
    _tell(call, Kind.RUN_DONE, f"{plan.name} is done since {when}: nothing is left to do")


def _tell(call: Call, kind: Kind, text: str) -> None:
    report = _report(call)
    report.show(Event(kind, datetime.now().astimezone(), text=text))
    report.close()
