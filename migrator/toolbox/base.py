"""The shape of a tool: it reads one host and yields changes, as a step does, and measures what it is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from migrator.change import Change, HostName
from migrator.executor.base import Executor
from migrator.journal import State
from migrator.steps.base import Context, Phase, Step


class Tool(ABC):
    """One thing that is done to a host. Its docstring's first line is what is shown while it is done.

    Given the host, "old" or "new". Several changes are shown before any of them is performed: what a later one
    yields must not depend on what an earlier one does.
    """

    name: ClassVar[str]

    def __init__(self, host: HostName) -> None:
        self.host: HostName = host

    def ready(self, context: Context) -> None:  # noqa: B027 - most tools need nothing
        """Raise Refused or UsageError where this must not be done here."""

    @abstractmethod
    def measured(self, context: Context) -> Mapping[str, str]:
        """Return what the host is like now, by what was measured, each with its words; asked before and after."""

    @abstractmethod
    def changes(self, context: Context) -> Iterator[Change]:
        """Yield what is still missing, each change with its undo; nothing where all is as wanted."""

    @abstractmethod
    def verify(self, context: Context) -> None:
        """Measure anew that the aim is reached. Raises VerifyFailed."""

    def executor(self, live: Executor) -> Executor:
        """Return what performs the changes, given what performs those of every tool."""
        return live


def numbered(tool: Tool, state: State) -> Step:
    """Return a tool as a step that the journal of its host does not know yet ("dh-3"), so that it looks anew."""

    class Numbered(Step):
        __doc__ = type(tool).__doc__
        name = f"{tool.name}-{len(state.steps) + 1}"
        phase = Phase.PREPARE
        after = ""

        def ready(self, context: Context) -> None:
            tool.ready(context)

        def changes(self, context: Context) -> Iterator[Change]:
            yield from tool.changes(context)

        def verify(self, context: Context) -> None:
            tool.verify(context)

    return Numbered()
