"""What may be done to a host, as frozen plain data: the whole vocabulary of doing and undoing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

HostName = Literal["old", "new", "operator"]


@dataclass(frozen=True, slots=True)
class Shell:
    """A POSIX sh script for a host. It must bear repetition, and exit with 0 only where its end was reached.

    `shown` is what a person would type in its place: a rehearsal shows that of a long script. With `progress`, the
    lines that it writes are shown as they come, and it ends with the connection.
    """

    host: HostName
    script: str
    timeout: float = 900.0  # seconds
    shown: str = ""
    progress: bool = False
    kind: Literal["shell"] = "shell"


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One file from `before` to `after` (None: absent).

    `mode` (octal text) and `owner` ("user:group") are for a file that does not exist yet; one that exists keeps
    its own. With `check`, a file that is neither `before` nor `after` stops the change: somebody else edited it.
    """

    path: str
    before: bytes | None
    after: bytes | None
    mode: str = "0644"
    owner: str = "root:root"
    check: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that change together, and the script that makes them count (rebuild, test, reload).

    Where `then` fails, the files of before are put back and `otherwise` runs (default: `then` again), all in the
    one command on the host. Both may keep files in the folder `$work`, which is removed at the end. `shown` is what a
    person would type in place of `then`.
    """

    host: HostName
    files: tuple[FileEdit, ...]
    then: str = ""
    otherwise: str | None = None
    timeout: float = 300.0  # seconds
    shown: str = ""
    kind: Literal["upload"] = "upload"


@dataclass(frozen=True, slots=True)
class Rsync:
    """One pass over trees of the plan, pulled by the new host; over what changed, of all of them at once.

    `scope` "whole" looks at everything, "changed" at what changed since an earlier pass ended: since the last one, or
    with `delete` since the last one that deleted. `delete` removes from the new host what the old one no longer has,
    unless that is more than `max_delete` of the tree; `keep_younger` leaves a file that is younger on the new host as
    it is. After `longest` seconds the pass is given up.
    """

    trees: tuple[int, ...]  # indexes in plan.sync
    scope: Literal["whole", "changed"] = "whole"
    delete: bool = False
    max_delete: float = 1.0  # 0 to 1
    keep_younger: bool = False
    longest: float = 7 * 86400.0  # rsync itself gives up when nothing moves
    host: HostName = "new"
    kind: Literal["rsync"] = "rsync"


@dataclass(frozen=True, slots=True)
class BringHome:
    """What one tree of the plan holds on the new host and lacks on the old one, added to the old host's mailboxes.

    Nothing is overwritten, doubled or deleted there: of an mbox the messages that the old one has fewer times are
    appended under its lock, a Maildir message is carried where its name is unknown, any other file where there is
    none. The old host may deliver meanwhile; the new one must not. It travels through the operator's connections.
    """

    tree: int  # index in plan.sync
    host: HostName = "old"
    kind: Literal["home"] = "home"


@dataclass(frozen=True, slots=True)
class AddressSet:
    """All address records of one type of a name; no addresses: there are none of that type. TTL in seconds."""

    rdtype: Literal["A", "AAAA"]
    addresses: tuple[str, ...]
    ttl: int


@dataclass(frozen=True, slots=True)
class DnsUpdate:
    """The address records of a name become exactly these, in one message (RFC 2136) or by the operator's program."""

    name: str
    sets: tuple[AddressSet, ...]
    host: HostName = "operator"
    kind: Literal["dns"] = "dns"


@dataclass(frozen=True, slots=True)
class SendProbe:
    """One SMTP dialogue from the operator's machine to port 25 of an address.

    `expect`: "accepted" sends a message with `token` and wants a 250 for it; "refused" wants the recipient refused,
    for good (5xx) or for now (4xx), and sends no message; what cannot be told is told, and is no failure.
    """

    address: str
    sender: str
    recipient: str
    token: str
    expect: Literal["accepted", "refused"] = "accepted"
    host: HostName = "operator"
    kind: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True)
class Note:
    """Nothing is done: only what the change remembers is written into the journal."""

    host: HostName = "operator"
    kind: Literal["note"] = "note"


Command = Shell | Upload | Rsync | BringHome | DnsUpdate | SendProbe | Note


class Undo(Enum):
    """Why a change has no command that undoes it."""

    NOT_NEEDED = "not needed"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Change:
    """A deed and what undoes it.

    `undo` restores an absolute earlier state, so it is safe whether or not `do` ran; `remember` goes into the
    journal together with the confirmation of the deed, and is what later steps find in their memory.
    """

    summary: str
    do: Command
    undo: Command | Undo
    remember: dict[str, str] = field(default_factory=dict)
