"""Stand-ins for what a step looks at and an executor acts on: one host, one DNS, one clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migrator.change import AddressSet, BringHome, Command, DnsUpdate, Note, Rsync, SendProbe, Shell, Upload
from migrator.errors import CommandFailed, HostError, MigrateError
from migrator.event import Event
from migrator.hosts.base import Output
from migrator.hosts.facts import Account, HostFacts
from migrator.net.nameserver import Server
from migrator.net.question import Answer
from migrator.plan import HostPlan, Plan, SyncTree
from migrator.steps.base import Context

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DONE = Output(0, "", "")
HOSTS = ("old", "new")
Handler = Callable[["FakeHost", str], Output | str]


class FakeClock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class FakeHost:
    """A host of files and of answers: Reader for steps, Host for executors.

    `on` says what a script or a command line answers whose text a pattern finds; the newest pattern counts.
    What nothing was said about succeeds and prints nothing, and is noted in `unanswered` when it only looked.
    """

    def __init__(self, name: str, files: Mapping[str, str | bytes] | None = None) -> None:
        self.name = name
        self.files = {path: _bytes(content) for path, content in (files or {}).items()}
        self.performed: list[str] = []
        self.unanswered: list[str] = []
        self.lost = False
        self._handlers: list[tuple[re.Pattern[str], Handler]] = []

    def on(self, pattern: str, answer: Output | str | Handler) -> None:
        handler = answer if callable(answer) else lambda _host, _text: answer
        self._handlers.insert(0, (re.compile(pattern, re.DOTALL), handler))

    def read(self, *argv: str, stdin: str = "") -> Output:
        return self._answer(" ".join(argv) + (f" <<< {stdin}" if stdin else ""), looking=True)

    def read_file(self, path: str) -> str | None:
        return self.read_files([path])[path]

    def read_files(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        self._expect_reachable()
        return {
            path: self.files[path].decode("utf-8", "surrogateescape") if path in self.files else None
            for path in paths
        }

    def inspect(self, script: str, *, timeout: float | None = None) -> Output:
        return self._answer(script, looking=True)

    def perform(self, script: str, *, timeout: float, on_line: Callable[[str], None] | None = None) -> Output:
        output = self._answer(script, looking=False)
        self.performed.append(script)
        for line in output.stdout.splitlines():
            if on_line:
                on_line(line)
        return output

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, text: str, *, looking: bool) -> Output:
        self._expect_reachable()
        for pattern, handler in self._handlers:
            if pattern.search(text):
                answer = handler(self, text)
                return Output(0, answer, "") if isinstance(answer, str) else answer
        if looking:
            self.unanswered.append(text)
        return DONE

    def _expect_reachable(self) -> None:
        if self.lost:
            raise HostError("the connection is lost", host=self.name)


class FakeNames:
    """A DNS of one name: two authoritative servers, and one resolver that caches nothing."""

    def __init__(self, *sets: AddressSet) -> None:
        self.sets = {one.rdtype: one for one in sets}

    def authoritative(self, name: str) -> tuple[Answer, ...]:
        return self._answers(("ns1.example.test", "ns2.example.test"), authoritative=True)

    def resolvers(self, name: str) -> tuple[Answer, ...]:
        return self._answers(("resolver.example.net",), authoritative=False)

    def update(self, sets: Sequence[AddressSet]) -> None:
        self.sets.update({one.rdtype: one for one in sets})

    def _answers(self, names: Sequence[str], *, authoritative: bool) -> tuple[Answer, ...]:
        return tuple(
            Answer(
                server=Server(name, f"198.51.100.{53 + number}"),
                rdtype=rdtype,
                addresses=self.sets[rdtype].addresses if rdtype in self.sets else (),
                ttl=self.sets[rdtype].ttl if rdtype in self.sets and self.sets[rdtype].addresses else None,
                authoritative=authoritative,
            )
            for number, name in enumerate(names)
            for rdtype in ("A", "AAAA")
        )


class FakeCopies:
    """Trees that differ by what `lines` says, until a pass was made, and hold `away` until it was brought home."""

    def __init__(self) -> None:
        self.lines: dict[int, tuple[str, ...]] = {}
        self.away: dict[int, tuple[str, ...]] = {}

    def differences(self, trees: Sequence[int], *, longest: float) -> tuple[tuple[str, ...], ...]:
        return tuple(self.lines.get(tree, ()) for tree in trees)

    def homeless(self, tree: int) -> tuple[str, ...]:
        return self.away.get(tree, ())


class FakeDoor:
    """The way to either host, as a plan without ssh_config makes it; `opened` counts the ways between them."""

    def __init__(self, loopback: int = 0) -> None:
        self.loopback = loopback
        self.opened = 0

    def endpoint(self, host: str = "old") -> tuple[str, int, str]:
        return ("198.51.100.10" if host == "old" else "198.51.100.20"), 22, "root"

    @contextmanager
    def passage(self) -> Iterator[int]:
        self.opened += 1
        yield self.loopback

    def host_key_line(self, address: str, port: int, host: str = "old") -> str:
        return f"{address} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"


class FakeMail:
    """Port 25 of every address, answering every recipient with `answer`: all but those that exist nowhere are taken."""

    def __init__(self) -> None:
        self.answer: Callable[[str, str], tuple[int, str]] = lambda address, recipient: (
            (550, "5.7.1 Relaying denied") if recipient.endswith(".invalid") else (250, "2.1.5 Ok")
        )

    def recipient(self, address: str, *, sender: str, recipient: str) -> tuple[int, str]:
        return self.answer(address, recipient)


class FakeWeb:
    """A web server that answers a URL with `answers`, and with 200 where there is none."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}

    def head(self, url: str, *, address: str) -> tuple[int, str]:
        return self.answers.get(url, (200, ""))


@dataclass
class World:
    """Both hosts, the DNS and the clock of one test, and a context that looks at them."""

    plan: Plan
    old: FakeHost = field(default_factory=lambda: FakeHost("old"))
    new: FakeHost = field(default_factory=lambda: FakeHost("new"))
    names: FakeNames = field(default_factory=lambda: FakeNames(AddressSet("A", ("198.51.100.10",), 3600)))
    copies: FakeCopies = field(default_factory=FakeCopies)
    mail: FakeMail = field(default_factory=FakeMail)
    web: FakeWeb = field(default_factory=FakeWeb)
    clock: FakeClock = field(default_factory=FakeClock)
    facts: dict[str, HostFacts] = field(default_factory=lambda: dict.fromkeys(HOSTS, make_facts()))

    def context(self, **changes: Any) -> Context:
        context = Context(
            plan=self.plan,
            old=self.old,
            new=self.new,
            facts=lambda name: self.facts[name],
            names=self.names,
            copies=self.copies,
            door=FakeDoor(),
            mail=self.mail,
            web=self.web,
            memory={},
            now=self.clock.now,
            sleep=self.clock.sleep,
        )
        return replace(context, **changes)

    def host(self, name: str) -> FakeHost:
        return {"old": self.old, "new": self.new}[name]

    def files(self) -> dict[str, dict[str, bytes]]:
        return {host.name: dict(host.files) for host in (self.old, self.new)}


class FakeExecutor:
    """Performs commands on a world: files change, scripts are recorded and answered by the hosts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.performed: list[Command] = []

    def execute(self, command: Command) -> bool:
        self.performed.append(command)
        match command:
            case Shell():
                _expect_success(self.world.host(command.host), command.script, command.timeout)
            case Upload():
                _upload(self.world.host(command.host), command)
            case DnsUpdate():
                self.world.names.update(command.sets)
            case Rsync():
                for tree in command.trees:
                    self.world.copies.lines.pop(tree, None)
            case BringHome():
                self.world.copies.away.pop(command.tree, None)
            case SendProbe() | Note():
                pass
        return True

    def check(self, probe: Callable[[], None]) -> str:
        probe()
        return ""


class FakeDryRun:
    """Performs nothing, and remembers what it was asked to preview."""

    def __init__(self) -> None:
        self.previewed: list[Command] = []

    def execute(self, command: Command) -> bool:
        return False

    def preview(self, command: Command) -> str:
        self.previewed.append(command)
        return f"would run {command.kind} on {command.host}"

    def check(self, probe: Callable[[], None]) -> str:
        try:
            probe()
        except MigrateError as error:
            return error.message
        return ""


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def _expect_success(host: FakeHost, script: str, timeout: float) -> None:
    output = host.perform(script, timeout=timeout)
    if output.status != 0:
        raise CommandFailed("the script failed", status=output.status, host=host.name, seen=output.stderr)


def _upload(host: FakeHost, upload: Upload) -> None:
    before = dict(host.files)
    for edit in upload.files:
        if edit.check and host.files.get(edit.path) not in (edit.before, edit.after):
            raise CommandFailed(f"{edit.path} was changed by somebody else", status=65, host=host.name)
    for edit in upload.files:
        host.files.pop(edit.path, None)
        if edit.after is not None:
            host.files[edit.path] = edit.after
    try:
        _expect_success(host, upload.then, upload.timeout)
    except CommandFailed:
        host.files = before
        host.perform(upload.then if upload.otherwise is None else upload.otherwise, timeout=upload.timeout)
        raise


def make_plan(path: Path = Path("/plans/example.toml"), **changes: Any) -> Plan:
    """Return the plan of two hosts and one domain, changed in the fields that are named."""
    plan = Plan(
        path=path,
        name="example-mail",
        domains=("example.test",),
        mail_host="mail.example.test",
        old=HostPlan("root@198.51.100.10", ("198.51.100.10",)),
        new=HostPlan("root@198.51.100.20", ("198.51.100.20",)),
        sync=(SyncTree("/var/spool/mail/", "/var/spool/mail/"),),
    )
    return replace(plan, **changes)


def make_facts(**changes: Any) -> HostFacts:
    """Return what one look at a stock Debian mail host tells, changed in the fields that are named."""
    accounts = {
        name: Account(name, uid, uid, home, "/bin/sh")
        for name, uid, home in (("root", 0, "/root"), ("user01", 1001, "/home/user01"))
    }
    facts = HostFacts(
        family="debian",
        os_name="Debian GNU/Linux 12 (bookworm)",
        sendmail_version="8.17.1.9",
        init="systemd",
        firewall="nft",
        programs=frozenset(
            ["rsync", "make", "m4", "makemap", "flock", "ssh", "ssh-keygen", "sendmail", "service", "nft"]
        ),
        hostname="mail.example.test",
        now=int(NOON.timestamp()),
        accounts=accounts,
        spool=("root", "user01"),
        addresses=("198.51.100.10",),
        source="198.51.100.10",
        cf="",
        paths={"sendmail": "/usr/sbin/sendmail-mta", "spool": "/var/mail"},
        home="/root",
        login="root",
        openssh=(9, 2),
    )
    return replace(facts, **changes)


def make_context(**changes: Any) -> Context:
    """Return a context on a world of its own, changed in the fields that are named."""
    return World(make_plan()).context(**changes)


def kinds(events: Sequence[Event]) -> list[str]:
    """Return what happened, without when: the kind of each event and its step."""
    return [f"{event.kind.value} {event.step}" if event.step else event.kind.value for event in events]
