"""The tools that a plan asks for, as steps of its migration: before the presync, the smart host last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from migrator.change import Change
from migrator.errors import UsageError
from migrator.executor.base import Executor
from migrator.plan import Plan
from migrator.plan.sendmail import RewritePlan, SendmailPlan, SmarthostPlan
from migrator.secret import Secret
from migrator.sendmail.genericstable import rows_of_csv
from migrator.sendmail.text_error import TextError
from migrator.steps.base import Context, Phase, Step
from migrator.toolbox.base import Tool
from migrator.toolbox.dh import Dh
from migrator.toolbox.harden import Harden
from migrator.toolbox.passwords import password_of
from migrator.toolbox.rewrite import Rewrite
from migrator.toolbox.smarthost import Login, Smarthost

BEFORE = "presync"
"""The step that the tools come before."""

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Chain:
    """The steps of a migration with the tools of its plan among them."""

    steps: tuple[Step, ...]
    tools: tuple[Tool, ...]

    def armed(self, live: Executor) -> Executor:
        """Given what performs commands, return what performs those of the tools too."""
        for tool in self.tools:
            live = tool.executor(live)
        return live


def chained(steps: Sequence[Step], plan: Plan, needed: Callable[[str], bool]) -> Chain:
    """Given a migration's steps, its plan, and what says of a step's name whether it will do anything more.

    Files that a tool reads on this machine are read only for a step that is needed. Raises UsageError for a setting
    that no tool takes, and for a file that cannot be used.
    """
    made = [_step(name, make, needed) for name, make in _makers(plan.new.sendmail).items()]
    place = next((number for number, step in enumerate(steps) if step.name == BEFORE), len(steps))
    tools = tuple(tool for _, tool in made if tool is not None)
    return Chain((*steps[:place], *(step for step, _ in made), *steps[place:]), tools)


def _makers(settings: SendmailPlan | None) -> dict[str, Callable[[], Tool]]:
    """Return what makes each tool, by the name of its step."""
    if settings is None:
        return {}
    found: dict[str, Callable[[], Tool]] = {}
    if settings.dh:
        found["sendmail-dh"] = lambda: Dh("new", named=settings.dh)
    if settings.harden:
        names = () if EVERYTHING in settings.harden else settings.harden
        found["sendmail-harden"] = lambda: Harden("new", names, zones=settings.blocklists)
    if rewrite := settings.rewrite:
        found["sendmail-rewrite"] = lambda: _rewrite(rewrite)
    if smarthost := settings.smarthost:
        found["sendmail-smarthost"] = lambda: _smarthost(smarthost)
    return found


def _rewrite(settings: RewritePlan) -> Rewrite:
    try:
        rows = rows_of_csv(settings.table.read_text(encoding="utf-8")) if settings.table else None
    except (OSError, UnicodeDecodeError, TextError) as error:
        raise UsageError(f"{settings.table} cannot be used: {error}", host="operator") from None
    return Rewrite("new", settings.domains, rows)


def _smarthost(settings: SmarthostPlan) -> Smarthost:
    file = settings.password_file
    secret = password_of(file) if file else Secret("")
    login = Login(settings.user, secret, " ".join(settings.mechanisms)) if settings.user else None
    return Smarthost("new", settings.server, port=settings.port, login=login, secure=not settings.plaintext)


def _step(
    step_name: str, make: Callable[[], Tool], needed: Callable[[str], bool]
) -> tuple[Step, Tool | None]:
    """Return the step of a tool, and the tool where the step is needed; one that is not only has a name."""
    tool = make() if needed(step_name) else None

    class Planned(Step):
        __doc__ = type(tool).__doc__ if tool else "Set Sendmail up on the new host, as the plan says."
        name = step_name
        phase = Phase.PREPARE
        after = ""

        def ready(self, context: Context) -> None:
            if tool:
                tool.ready(context)

        def changes(self, context: Context) -> Iterator[Change]:
            if tool:
                yield from tool.changes(context)

        def verify(self, context: Context) -> None:
            if tool:
                tool.verify(context)

    return Planned(), tool
