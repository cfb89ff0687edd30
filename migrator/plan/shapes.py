"""The shapes of a plan: frozen data, read by everything, with the defaults of the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from migrator.plan.endpoint import Endpoint, parse_endpoint
from migrator.plan.flat import digest, flatten

if TYPE_CHECKING:
    from migrator.plan.sendmail import SendmailPlan

Strategy = Literal["hold", "firewall"]
Update = Literal["manual", "rfc2136", "lexicon", "command"]
IoClass = Literal["", "idle", "best-effort"]
Via = Literal["pull", "push", "operator"]


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One mail host: how ssh reaches it, and at which addresses its port 25 answers.

    `addresses` holds at most one IPv4 and one IPv6 address, in the order of the plan. `host_key` ("SHA256:…")
    pins the key instead of `known_hosts`; `identity_file` None leaves the choice to agent and ssh_config. `sendmail` is
    how the new host's Sendmail is set up.
    """

    ssh: str
    addresses: tuple[str, ...]
    identity_file: Path | None = None
    known_hosts: Path = field(default_factory=lambda: Path("~/.ssh/known_hosts").expanduser())
    host_key: str = ""
    sudo: bool = False
    mail_spool: str = "/var/spool/mail"
    sendmail: SendmailPlan | None = None

    @property
    def address(self) -> str:
        """Return the first address."""
        return self.addresses[0]

    @property
    def endpoint(self) -> Endpoint:
        """Return the parts of `ssh`. Raises ValueError for one that no plan would hold."""
        return parse_endpoint(self.ssh)


@dataclass(frozen=True, slots=True)
class SyncTree:
    """One tree to copy: rsync's source on the old host, its target on the new one, and what stays behind."""

    source: str
    target: str
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rfc2136Plan:
    """Where to send updates (RFC 2136), with which TSIG key (RFC 8945): key_file or key_env has it."""

    server: str
    key_name: str
    port: int = 53
    key_algorithm: str = "hmac-sha256"
    key_file: Path | None = None
    key_env: str = ""


@dataclass(frozen=True, slots=True)
class LexiconPlan:
    """Which provider the lexicon program is told; it reads its credentials from its own environment."""

    provider: str


@dataclass(frozen=True, slots=True)
class DnsPlan:
    """How the address records move, and when."""

    ttl: timedelta = timedelta(minutes=15)
    lead: timedelta = timedelta(hours=48)
    nameservers: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    update: Update = "manual"
    restore_ttl: timedelta = timedelta(hours=1)
    command: tuple[str, ...] = ()
    rfc2136: Rfc2136Plan | None = None
    lexicon: LexiconPlan | None = None


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """How the trees are copied, and what the copy may ask of both hosts.

    `passes` before the cutover; "auto": until the prediction of the last one fits the budget. `max_delete` is the
    share of a tree (0 to 1) that one pass may delete; above the load average `max_load` of the old host the copy
    pauses (0: near what its Sendmail bears); `bwlimit` is in bytes a second (0: none); `nice` and `ionice` are for the
    old host's reading programs; `via` says how the new host comes to a connection to the old one; `streams` copy at
    once in the first pass.
    """

    passes: int | Literal["auto"] = "auto"
    max_delete: float = 0.5
    max_load: float = 0.0
    bwlimit: int = 0
    nice: int = 0
    ionice: IoClass = ""
    via: Via = "pull"
    streams: int | Literal["auto"] = "auto"


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window: an aware start, and how long it is open."""

    start: datetime
    length: timedelta

    @property
    def end(self) -> datetime:
        """Return the moment it closes."""
        return self.start + self.length

    def __str__(self) -> str:
        minutes = int(self.length.total_seconds()) // 60
        return f"{self.start.isoformat(timespec='minutes')}/{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class CutoverPlan:
    """How and when mail moves, and how long it may take.

    Port 25 is closed for at most `max_closed`. The mailboxes are to be closed no longer than `budget`; a cutover that
    takes `budget` times `overrun` goes back by itself. For `late_mail` after the switch the relay answers with 450 whom
    the other host does not know, then with 550.
    """

    strategy: Strategy = "hold"
    window: Window | None = None
    max_closed: timedelta = timedelta(minutes=2)
    budget: timedelta = timedelta(seconds=60)
    overrun: float = 3.0
    late_mail: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SmokePlan:
    """Who writes to whom in the smoke tests; recipient "": the first mailbox found."""

    recipient: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class WebmailPlan:
    """The webmail's address on the old host, and where its visitors are sent."""

    old_url: str
    new_url: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. Domain names are A-labels in lower case without a trailing dot.

    `path` is where it was read, `state_root` the folder that holds a folder of state for each plan.
    """

    path: Path
    name: str
    domains: tuple[str, ...]
    mail_host: str
    old: HostPlan
    new: HostPlan
    sync: tuple[SyncTree, ...]
    dns: DnsPlan = field(default_factory=DnsPlan)
    copying: CopyPlan = field(default_factory=CopyPlan)
    cutover: CutoverPlan = field(default_factory=CutoverPlan)
    smoke: SmokePlan = field(default_factory=SmokePlan)
    webmail: WebmailPlan | None = None
    state_root: Path | None = None

    @property
    def state_dir(self) -> Path:
        """Return the folder of this plan's journal and lock: beside the plan unless `state_root` moves it."""
        return (self.state_root or self.path.parent / ".migrate") / self.name

    def flatten(self) -> dict[str, str]:
        """Return every key of the plan, defaults included, as dotted key and text."""
        return flatten(self)

    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of the flattened plan: equal for plans that mean the same."""
        return digest(self.flatten())
