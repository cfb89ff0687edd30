"""The account: for every message that was ever accepted, where it stands when all is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.lab.message import Message
from tests.lab.scan import Key, Scan

EXAMPLES = 5


@dataclass
class Account:
    """What became of the mail; every list but `delivered` and `deleted` is a fault, save `resent`."""

    delivered: list[Key] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    """Deleted by their owners, and rightly gone."""
    resent: list[Key] = field(default_factory=list)
    """There twice because the sender was left without an answer and rightly sent it again (RFC 1047)."""
    lost: list[Key] = field(default_factory=list)
    stranded: list[Key] = field(default_factory=list)
    """Only on the other host: in a mailbox there, or in its queue."""
    waiting: list[Key] = field(default_factory=list)
    """Still in the queue of the host where it belongs."""
    doubled: list[Key] = field(default_factory=list)
    misplaced: list[Key] = field(default_factory=list)
    """In a mailbox of somebody else."""
    damaged: list[Key] = field(default_factory=list)
    returned: list[Key] = field(default_factory=list)
    """Deleted by their owners, and there again."""
    rejected: list[str] = field(default_factory=list)
    """Answered with 500 or more, so that their senders got them back."""
    unaccepted: list[str] = field(default_factory=list)
    """Still with their senders."""
    left_over: list[str] = field(default_factory=list)
    """Folders that had to stay behind and came along."""
    retries: int = 0
    """How many messages had to be tried more than once."""

    expected: int = 0
    """How many copies have to be accounted for, one for each message and mailbox."""

    FAULTS = (
        "lost", "stranded", "waiting", "doubled", "misplaced", "damaged", "returned",
        "rejected", "unaccepted", "left_over",
    )  # fmt: skip

    @property
    def clean(self) -> bool:
        """Whether there is no fault of any kind."""
        return not any(getattr(self, name) for name in self.FAULTS)

    def text(self) -> str:
        """Return the account as a table, with a few examples of each fault."""
        lines = [f"{self.expected:6d} messages to account for (one for each mailbox)"]
        lines += [self._line(name) for name in ("delivered", "deleted", "resent")]
        lines += [self._line(name, EXAMPLES) for name in self.FAULTS]
        lines.append(f"{self.retries:6d} had to be tried more than once by their senders")
        lines.append("The account is clean." if self.clean else "The account is NOT clean.")
        return "\n".join(lines)

    def _line(self, name: str, examples: int = 0) -> str:
        """Return one line of the table."""
        found = getattr(self, name)
        some = ", ".join(one if isinstance(one, str) else " in ".join(one) for one in found[:examples])
        return f"{len(found):6d} {name.replace('_', ' ')}{': ' if some else ''}{some}"


def take(
    here: Scan,
    there: Scan,
    *,
    messages: Iterable[Message] = (),
    seeds: Collection[Key] = (),
    deleted: Collection[Key] = (),
) -> Account:
    """Return the account of a migration.

    `here` is the host on which all mail belongs (the new one), `there` the other one; `messages` are those of the
    stream, `seeds` what was there before, `deleted` what its owners deleted.
    """
    account = Account(left_over=list(here.left))
    expected: dict[Key, Message | None] = dict.fromkeys(seeds)
    for message in messages:
        account.retries += message.refusals > 0
        if message.rejected:
            account.rejected.append(f"{message.token} to {message.recipient}: {message.rejected}")
        elif message.accepted_at is None:
            account.unaccepted.append(f"{message.token} to {message.recipient}: {message.last_trouble}")
        else:
            expected.update({(message.token, mailbox): message for mailbox in message.mailboxes})
    account.expected = len(expected)
    for key, sent in sorted(expected.items(), key=lambda item: item[0]):
        judge(account, key, sent, here, there, deleted)
    tokens = {token for token, _ in expected}
    account.misplaced = [key for key in sorted(here.kept) if key[0] in tokens and key not in expected]
    return account


def judge(
    account: Account, key: Key, sent: Message | None, here: Scan, there: Scan, deleted: Collection[Key]
) -> None:
    """Write one message into the list of the account to which it belongs."""
    copies = here.kept.get(key, [])
    if key in deleted:
        (account.returned if copies else account.deleted).append(key)
    elif not copies:
        missing(account, key, here, there)
    elif len(copies) > 1:
        (account.resent if sent and sent.unanswered >= len(copies) - 1 else account.doubled).append(key)
    elif not copies[0].whole:
        account.damaged.append(key)
    else:
        account.delivered.append(key)


def missing(account: Account, key: Key, here: Scan, there: Scan) -> None:
    """Write down where a message is that is in no mailbox of the host where it belongs."""
    if key[0] in here.queued:
        account.waiting.append(key)
    elif key in there.kept or key[0] in there.queued:
        account.stranded.append(key)
    else:
        account.lost.append(key)
