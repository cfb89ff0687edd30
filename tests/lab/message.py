"""The messages of the lab: who gets mail, in which mailbox it must stand, and what became of it at the sender."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

USERS = tuple(f"user{number:02d}" for number in range(1, 21))
MAILDIR_USERS = USERS[10:]

RECIPIENTS: Mapping[str, tuple[str, ...]] = {
    **{f"{user}@example.test": (user,) for user in USERS},
    **{f"{user}@example2.test": (user,) for user in USERS[::3]},
    # By the virtusertable
    "info@example.test": ("user03",),
    "sales@example.test": ("user13",),
    "info@example2.test": ("user14",),
    "boss@example2.test": ("user07",),
    # By the aliases
    "office@example.test": ("user02",),
    "support@example2.test": ("user15",),
    "team@example.test": ("user04", "user16"),
    "postmaster@example.test": ("root",),
}
"""Address -> the mailboxes in which a message to it must stand, as docker/lab/mail says."""


@dataclass(eq=False)
class Message:
    """One message and its fate; `stale` senders hold the old address for ever, `linger` is seconds inside a session."""

    token: str
    recipient: str
    stale: bool = False
    linger: float = 0.0
    size: int = 3000
    refusals: int = 0
    """How often the sender had to try again."""
    unanswered: int = 0
    """How often the whole message was sent and no answer came: RFC 1047 says that a second copy is then right."""
    accepted_at: float | None = None
    """When the 250 came, in seconds since the epoch."""
    accepted_by: str = ""
    """The address of the host that said it."""
    rejected: str = ""
    """The answer of 500 or more, which ends the sender's tries."""
    last_trouble: str = ""
    """What stood in the way of the last try that failed, where, and when (in seconds since the epoch)."""

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """The mailboxes in which it must stand, once in each."""
        return RECIPIENTS[self.recipient]

    @property
    def settled(self) -> bool:
        """Whether the sender is done with it."""
        return self.accepted_at is not None or bool(self.rejected)

    def content(self) -> bytes:
        """Return the message as it goes over the line; its last line tells that it is whole."""
        message = EmailMessage(policy=SMTP)
        message["Message-ID"] = f"<{self.token}@outside.test>"
        message["From"] = "Sender <sender@outside.test>"
        message["To"] = self.recipient
        message["Date"] = formatdate()
        message["Subject"] = f"Stream {self.token}"
        message["X-Lab-Token"] = self.token
        lines = ["From here on:", ".", "..leading dots"]
        lines += [f"{number:04d} of {self.token}" for number in range(self.size // 30)]
        message.set_content("\n".join([*lines, f"end of {self.token}", ""]))
        return message.as_bytes()


def random_message(token: str, chance: random.Random, stale_share: float, lingering_share: float) -> Message:
    """Return a message to a random recipient; the shares say how many senders are stale, and how many are slow."""
    return Message(
        token=token,
        recipient=chance.choice(list(RECIPIENTS)),
        stale=chance.random() < stale_share,
        linger=chance.uniform(1.0, 6.0) if chance.random() < lingering_share else 0.0,
        size=chance.randint(2000, 6000),
    )
