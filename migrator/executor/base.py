"""Executor: what the engine hands commands and probes to, without knowing the mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from migrator.change import Command


class Executor(Protocol):
    """Performs commands, or only says that it would."""

    def execute(self, command: Command) -> bool:
        """Perform a command and return True, or do nothing and return False. Raises MigrateError where it fails."""

    def check(self, probe: Callable[[], None]) -> str:
        """Run a probe. Return "" where it is content; else let it raise, or return its complaint."""
