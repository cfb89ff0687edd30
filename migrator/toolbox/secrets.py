"""An executor that puts a secret in its place at the last moment: neither journal nor preview ever holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from migrator.change import Command, FileEdit, Upload
from migrator.executor.base import Executor


class Revealing:
    """Performs commands with another executor, files with secrets in them.

    Given that executor, and what returns the true contents of a file (None: as they are).
    """

    def __init__(self, inner: Executor, reveal: Callable[[FileEdit], bytes | None]) -> None:
        self._inner = inner
        self._reveal = reveal

    def execute(self, command: Command) -> bool:
        """Perform a command; see Executor."""
        if isinstance(command, Upload):
            command = replace(command, files=tuple(map(self._revealed, command.files)))
        return self._inner.execute(command)

    def check(self, probe: Callable[[], None]) -> str:
        """Run a probe; see Executor."""
        return self._inner.check(probe)

    def _revealed(self, edit: FileEdit) -> FileEdit:
        content = self._reveal(edit)
        return edit if content is None else replace(edit, after=content)
