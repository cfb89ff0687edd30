"""Who and what a queue waits for most: its messages counted by recipient, sender, domain or reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from migrator.sendmail import addresses
from migrator.sendmail.queue import QueuedMessage

Side = Literal["recipient", "sender", "domain", "reason"]
SIDES: tuple[Side, ...] = get_args(Side)

LOCAL = "(this host)"
"""Stands for the domain of recipients that have none: mailboxes, programs and files of the host."""
BOUNCES = "<>"
"""Stands for the sender of bounces, which is empty (RFC 5321, 4.5.5)."""
UNTRIED = "(not tried yet)"
UNSAID = "(no reason noted)"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of a count: what was counted by, how many messages wait for it, and since when the oldest does."""

    name: str
    messages: int
    oldest: datetime | None


def top(messages: Sequence[QueuedMessage], by: Side, most: int = 10) -> tuple[Waiting, ...]:
    """Given messages, return what most of them wait for, most first and by name where equal; `most` limits it.

    A message counts once for each of its recipients, and once for a domain or reason that several of them share.
    """
    counted: dict[str, list[QueuedMessage]] = {}
    for message in messages:
        for name in dict.fromkeys(_NAMES[by](message)):
            counted.setdefault(name, []).append(message)
    ordered = sorted(counted.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(Waiting(name, len(found), oldest(found)) for name, found in ordered[:most])


def oldest(messages: Iterable[QueuedMessage]) -> datetime | None:
    """Given messages, return when the oldest was created, None where none says so."""
    return min((one.created for one in messages if one.created), default=None)


def reasons(message: QueuedMessage) -> tuple[str, ...]:
    """Given a message, return why it waits: its recipients' reasons, else its own, else what else is known."""
    own = message.reason or (UNSAID if message.attempts else UNTRIED)
    return tuple(dict.fromkeys(one.reason or own for one in message.recipients)) or (own,)


def folded(address: str) -> str:
    """Given an address, return it with its domain in lower case: a local part may tell cases apart (RFC 5321)."""
    found = addresses.domain(address)
    return f"{address.rpartition('@')[0]}@{found}" if found else address


_NAMES: dict[Side, Callable[[QueuedMessage], Iterable[str]]] = {
    "recipient": lambda message: [folded(one.address) for one in message.recipients],
    "sender": lambda message: [folded(message.sender) or BOUNCES],
    "domain": lambda message: [one.domain or LOCAL for one in message.recipients],
    "reason": reasons,
}
