"""The shape of a step: it reads hosts and DNS, and yields changes; it never does anything itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from migrator.change import Change
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.mailstore.spared import Spared
from migrator.net.resolver import Answer
from migrator.plan import Plan


class Phase(StrEnum):
    """The five parts of a migration in their order, and the end of a rollback."""

    PREPARE = "prepare"
    PRESYNC = "presync"
    CUTOVER = "cutover"
    VERIFY = "verify"
    FINISH = "finish"
    HOME = "home"


class Names(Protocol):
    """What a step may ask of the DNS. Both ask all servers concurrently."""

    def authoritative(self, name: str) -> tuple[Answer, ...]:
        """Return what every authoritative server says at each of its addresses for A and AAAA of a name."""

    def resolvers(self, name: str) -> tuple[Answer, ...]:
        """Return what every watched resolver says for A and AAAA of a name, with the remaining TTL."""


class Copies(Protocol):
    """What a step may ask about a tree of the plan on both hosts. Nothing is transferred."""

    def differences(self, trees: Sequence[int], *, longest: float) -> tuple[tuple[str, ...], ...]:
        """Return in what each of the trees differs, old against new, by contents, as rsync itemizes it.

        Empty: they are equal. What cannot have changed since a pass that proved it equal is not read again. Raises
        CommandFailed, HostError where nobody can tell, or not within `longest` seconds.
        """

    def homeless(self, tree: int) -> tuple[str, ...]:
        """Return what stands in a tree of the new host and on the old one nowhere: empty once BringHome is done.

        One line a file: its path in the tree, and of an mbox how many messages. Raises CommandFailed, HostError
        where nobody can tell.
        """


class Door(Protocol):
    """How ssh reaches the old host, or the new one: what the other one has to know of it, and the way between them."""

    def endpoint(self, host: str = "old") -> tuple[str, int, str]:
        """Return host, port and user as ssh_config makes them of the plan; nothing is contacted."""

    def host_key_line(self, address: str, port: int, host: str = "old") -> str:
        """Return a host's verified key as a line of known_hosts, for the address and port the other one uses."""

    def passage(self) -> AbstractContextManager[int]:
        """Open the way from the new host to the old one, and give the port on its loopback that leads there.

        0: none is needed. Raises HostError where a host cannot be reached, or forbids it.
        """


class Mail(Protocol):
    """What a step may ask of a port 25, from the operator's machine. No message is sent."""

    def recipient(self, address: str, *, sender: str, recipient: str) -> tuple[int, str]:
        """Return the code and text that the live daemon gives to RCPT TO, before the dialogue is ended.

        A banner, EHLO or MAIL that is not answered with 2xx gives its own code and text instead. Raises SmtpError
        where there is no connection or no SMTP.
        """


class Web(Protocol):
    """What a step may ask of a web server."""

    def head(self, url: str, *, address: str) -> tuple[int, str]:
        """Return the status and the Location of a GET of `url` sent to `address`, following nothing."""


@dataclass(frozen=True)
class Context:
    """Everything a step may look at.

    `memory` is what confirmed changes remembered; `attempt` counts from 1 where a step is tried several times;
    `force` holds the words of --force; `run` is the token of the journal.
    """

    plan: Plan
    old: Reader
    new: Reader
    facts: Callable[[str], HostFacts]
    names: Names
    copies: Copies
    door: Door
    mail: Mail
    web: Web
    memory: Mapping[str, str]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    attempt: int = 1
    force: frozenset[str] = field(default_factory=frozenset)
    run: str = ""
    spared: Callable[[], Spared] | None = (
        None  # what of the trees belongs to the hosts; None: nobody asked them
    )
    deadline: datetime | None = None  # until then the copy has to be proved, while mail waits for it
    tell: Callable[[str], None] = lambda _text: None  # says what a wait is for, to who watches; kept nowhere

    def still(self, waited: float, what: str) -> None:
        """Say what is waited for, where that has lasted for some seconds: after five, and then every ten."""
        if waited >= 5 and (waited - 5) % 10 < 1:
            self.tell(f"{what} ({waited:.0f} s by now)")

    def reader(self, host: str) -> Reader:
        """Return the Reader of "old" or "new"."""
        return self.old if host == "old" else self.new

    def bounded(self, seconds: float) -> float:
        """Return how long a wait of so many seconds may take: no longer than to the deadline, and at least one."""
        if self.deadline is None:
            return seconds
        return max(1.0, min(seconds, (self.deadline - self.now()).total_seconds()))


@dataclass(frozen=True, slots=True)
class Question:
    """What the one question before the cutover tells: a sentence, what it rests on, and what is remembered of it."""

    text: str = ""
    basis: str = ""
    remember: Mapping[str, str] = field(default_factory=dict)


class Step(ABC):
    """One step of a migration. Its docstring's first line is what `status` and the documentation show.

    `after` names the step before it; a mapping gives it for each cut-over strategy, and a step that a strategy
    does not name is not part of it. The first step is after "".
    """

    name: ClassVar[str]
    phase: ClassVar[Phase]
    after: ClassVar[str | Mapping[str, str]]
    attempts: ClassVar[int] = 1  # how often changes and verification are tried in turn before the step fails
    repeats: ClassVar[bool] = True  # whether a change of it that was planned and not confirmed is made again
    suspends: ClassVar[str] = ""
    """Where not "": from the step's first change on mail waits, and where that lasts too long, all begins anew at the
    step named here."""
    proves: ClassVar[bool] = False  # its end proves the copy; the last of these ends the time of a cutover
    reopens: ClassVar[tuple[str, ...]] = ()  # which of "mail" and "mailboxes" its end lets go on

    def ready(self, context: Context) -> None:  # noqa: B027 - most steps need nothing
        """Raise NotReady(until=…), Refused or StartOver where the step must not start now."""

    def resumed(self, context: Context) -> None:  # noqa: B027 - most steps stay finished
        """Raise Refused where a later run must not go on. Asked of every finished step that it passes over."""

    def again(self, context: Context) -> bool:
        """Return whether a later run does this finished step once more, for something may have come to be known."""
        return False

    def question(self, context: Context) -> Question:
        """Return what is told where this step is the first of the cutover, before it is asked whether mail may move.

        Raises Refused where it must not, StartOver where what is known is too old to tell.
        """
        return Question()

    @abstractmethod
    def changes(self, context: Context) -> Iterator[Change]:
        """Yield what is still missing, one change at a time; each is performed before the next is asked for."""

    @abstractmethod
    def verify(self, context: Context) -> None:
        """Measure anew that the step's aim is reached. Raises VerifyFailed."""

    def can_go_back(self, context: Context) -> bool:
        """Return whether a cutover that takes too long may undo this step by itself, without a person."""
        return True

    def before_rollback(self, context: Context) -> None:  # noqa: B027 - most steps can always be undone
        """Raise Refused where undoing this step would lose mail. Asked of every begun step before any undo."""
