"""Reader and Host: what a step may ask of a mail host, and what the executor may do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Output:
    """What a command on a host gave: its exit status, and both streams as text (UTF-8, surrogateescape)."""

    status: int
    stdout: str
    stderr: str


class Reader(Protocol):
    """All that a step receives of a host."""

    @property
    def name(self) -> str:
        """Return "old" or "new"."""

    def read(self, *argv: str, stdin: str = "") -> Output:
        """Run an inspecting program, each argument quoted, and return what it gave, whatever its status.

        Raises ValueError for a program that is not known to only inspect, HostError where the host is lost.
        """

    def read_file(self, path: str) -> str | None:
        """Return a file's text, None where there is no such file. Raises CommandFailed if it cannot be read."""

    def read_files(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        """Return the texts of several files in one round trip, None for those that do not exist."""

    def inspect(self, script: str, *, timeout: float | None = None) -> Output:
        """Run one of the project's own inspecting scripts (they change nothing) and return what it gave.

        Given the longest it may take in seconds; None: what any look may take.
        """


class Host(Reader, Protocol):
    """A mail host as the executor sees it."""

    def perform(self, script: str, *, timeout: float, on_line: Callable[[str], None] | None = None) -> Output:
        """Run a script on the host, whole even when the connection breaks, alone among this plan's scripts there.

        Given the longest it may take in seconds, and what receives each line of output as it comes. Return what it
        gave, whatever its status. Raises HostError where the host is lost or the time is up.
        """

    def close(self) -> None:
        """End the connection."""
