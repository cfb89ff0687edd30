"""What waits in the old host's queue."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from migrator.sendmail import queue
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context


def for_domains(context: Context) -> tuple[QueuedMessage, ...]:
    """Return the messages with a recipient in one of the plan's domains; quarantined and lost ones included."""
    return tuple(message for message in _all(context) if message.recipients_in(context.plan.domains))


def for_own_mailboxes(context: Context) -> tuple[QueuedMessage, ...]:
    """Return the queued messages that an alias has already turned toward a mailbox of the old host itself."""
    names = set(context.facts("old").accounts)
    return tuple(
        message
        for message in _all(context)
        if message.kind == "queued" and any(one.address in names for one in message.local_recipients)
    )


def words(messages: Sequence[QueuedMessage]) -> str:
    """Return messages for a person: number and reason of the first few."""
    shown = "; ".join(f"{message.id}: {_reason(message)}" for message in messages[:5])
    return f"{shown} and {len(messages) - 5} more" if len(messages) > 5 else shown or "none"


def _reason(message: QueuedMessage) -> str:
    reasons = [message.reason, *(recipient.reason for recipient in message.recipients)]
    return next(filter(None, reasons), message.kind)


def _all(context: Context) -> tuple[QueuedMessage, ...]:
    words_ = queue.reader_command(parse_cf(context.facts("old").cf).queue_directories)
    return queue.parse_dump(context.old.inspect(shlex.join(words_)).stdout)
