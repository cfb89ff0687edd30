"""Every way in which migrate ends early, each with the exit code of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


class MigrateError(Exception):
    """Something ended early; what is known of it stands in its attributes, for a person and for a program.

    Given what happened in one sentence and, where known, the host ("old", "new" or "operator"), what was
    expected, what was seen, and what to do next.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        host: str | None = None,
        expected: str | None = None,
        seen: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.host = host
        self.expected = expected
        self.seen = seen
        self.advice = advice


def sentences(advices: Iterable[str]) -> str:
    """Given what to do about several things, "" among them, return it as sentences, each once, with stops between."""
    parts = list(dict.fromkeys(advice.strip() for advice in advices if advice.strip()))
    stopped = [f"{part.rstrip('.')}." for part in parts[:-1]] + parts[-1:]
    return " ".join(stopped[:1] + [part[0].upper() + part[1:] for part in stopped[1:]])


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan: the dotted key, the line it stands on (from 1; None where there is none), and why."""

    key: str
    line: int | None
    reason: str


class PlanError(MigrateError):
    """The plan is wrong. Carries every fault at once."""

    exit_code = 2

    def __init__(self, path: str, faults: Sequence[Fault]) -> None:
        super().__init__(f"{path}: {len(faults)} fault{'s' if len(faults) != 1 else ''} in the plan")
        self.path = path
        self.faults = tuple(faults)


class UsageError(MigrateError):
    """The command line asks for what cannot be."""

    exit_code = 2


class Refused(MigrateError):
    """Going on would lose or expose mail, or a rollback cannot be done; `lifted_by` names the --force word, if any."""

    exit_code = 3

    def __init__(self, message: str, *, lifted_by: str | None = None, **known: str | None) -> None:
        super().__init__(message, **known)
        self.lifted_by = lifted_by


class JournalDamaged(Refused):
    """The journal has a line that cannot be read and is not its torn last one."""


class JournalNewer(JournalDamaged):
    """The journal has a line that only a later version of the program can read: it is whole, and stays as it is."""


class Locked(MigrateError):
    """Another run of this plan holds its lock."""

    exit_code = 4


class NotReady(MigrateError):
    """Waiting, not failing: `until` is when it is worth trying again (aware; None where nobody can know)."""

    exit_code = 75

    def __init__(self, message: str, *, until: datetime | None = None, **known: str | None) -> None:
        super().__init__(message, **known)
        self.until = until


class Interrupted(MigrateError):
    """A signal asked the run to stop; the journal is whole."""

    exit_code = 130


class HostError(MigrateError):
    """A host cannot be reached, or the connection to it broke."""


class HostKeyError(HostError):
    """A host's key is unknown or is not the expected one."""


class CommandFailed(MigrateError):
    """A command on a host ended with another status than 0."""

    def __init__(self, message: str, *, status: int, **known: str | None) -> None:
        super().__init__(message, **known)
        self.status = status


class VerifyFailed(MigrateError):
    """A step did its work, and what was measured afterwards is not what it should be."""


class StartOver(MigrateError):
    """What an earlier step did no longer holds: the run has to go on from `step` again."""

    def __init__(self, message: str, *, step: str, **known: str | None) -> None:
        super().__init__(message, **known)
        self.step = step


class GoBack(MigrateError):
    """The cutover takes too long: what was done from `step` on is undone, and a later run begins there anew."""

    def __init__(self, message: str, *, step: str, **known: str | None) -> None:
        super().__init__(message, **known)
        self.step = step


class DnsError(MigrateError):
    """A name server did not answer, or refused."""


class SmtpError(MigrateError):
    """An SMTP dialogue broke the protocol or ended early."""
