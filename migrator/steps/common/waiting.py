"""What waits in a host's queue, and the runs of the queue that deliver it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from migrator.change import HostName
from migrator.errors import VerifyFailed
from migrator.sendmail import queue
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context

PATIENCE = 20
"""Seconds given to the messages that waited before the queue is run once more."""
AT_ONCE = 500
"""How many messages one run of the queue is given: each run reads the whole folder, and a command line has an end."""


def for_domains(context: Context, host: HostName = "old") -> tuple[QueuedMessage, ...]:
    """Return the messages with a recipient in one of the plan's domains; quarantined and lost ones included."""
    domains = context.plan.domains
    found = _read(context, host, queue.in_domains(domains))
    return tuple(message for message in found if message.recipients_in(domains))


def for_own_mailboxes(context: Context, host: HostName = "old") -> tuple[QueuedMessage, ...]:
    """Return the queued messages that an alias has already turned toward a mailbox of the host itself."""
    names = set(context.facts(host).accounts)
    return tuple(
        message
        for message in _read(context, host, queue.LOCAL)
        if message.kind == "queued" and any(one.address in names for one in message.local_recipients)
    )


def words(messages: Sequence[QueuedMessage]) -> str:
    """Return messages for a person: number and reason of the first few."""
    shown = "; ".join(f"{message.id}: {_reason(message)}" for message in messages[:5])
    return f"{shown} and {len(messages) - 5} more" if len(messages) > 5 else shown or "none"


def expect_leaving(context: Context, host: HostName = "old") -> None:
    """See that each message for the domains that waits now leaves. Raises VerifyFailed naming those that stay."""
    found = queued(for_domains(context, host))
    first = {message.id for message in found}
    waited = 0  # counted, for a clock can jump
    while left := [one for one in found if one.id in first]:
        if waited >= PATIENCE:
            raise VerifyFailed(
                f"{len(left)} messages for the domains stay in the {host} host's queue",
                host=host,
                expected="no message for the domains that has waited all the time",
                seen=words(left),
                advice=f"mend the reason, then run this again: the {host} host keeps them and goes on trying",
            )
        context.sleep(1.0)
        waited += 1
        found = queued(for_domains(context, host))


def _reason(message: QueuedMessage) -> str:
    reasons = [message.reason, *(recipient.reason for recipient in message.recipients)]
    return next(filter(None, reasons), message.kind)


def queued(messages: Sequence[QueuedMessage]) -> tuple[QueuedMessage, ...]:
    """Return those of the messages that a run of the queue delivers: neither quarantined nor lost ones."""
    return tuple(message for message in messages if message.kind == "queued")


def run_for_domains(context: Context, host: HostName = "old") -> str:
    """Return the script that tries every queued message for the domains, also at a host that was closed before.

    Only these, however young they are and however busy the host: a run over all of a queue with dead destinations
    takes hours.
    """
    # One run for all domains, for each run reads every file of the queue.
    limits = " ".join(f"-qR{shlex.quote('@' + domain)}" for domain in context.plan.domains)
    return f"{purge(context, host)}sendmail -OMinQueueAge=0 -OQueueLA=1000 {limits}\n"


def purge(context: Context, host: HostName = "old") -> str:
    """Return the script that forgets which hosts refused connections: it would keep the other one from being tried."""
    configuration = parse_cf(context.facts(host).cf)
    if not (status := configuration.host_status_directory):
        return ""
    folder = status if status.startswith("/") else f"{configuration.queue_directory}/{status}"
    return f"if [ -d {shlex.quote(folder)} ]; then find {shlex.quote(folder)} -type f -delete; fi\n"


def run_of(messages: Sequence[QueuedMessage]) -> str:
    """Return the script that tries just these messages, however young they are and however busy the host."""
    limits = [f"-qI{shlex.quote(one.id)}" for one in messages]
    return "".join(
        f"sendmail -OMinQueueAge=0 -OQueueLA=1000 {' '.join(limits[first : first + AT_ONCE])}\n"
        for first in range(0, len(limits), AT_ONCE)
    )


def _read(context: Context, host: HostName, wanted: str) -> tuple[QueuedMessage, ...]:
    words_ = queue.reader_command(parse_cf(context.facts(host).cf).queue_directories, wanted)
    return queue.parse_dump(context.reader(host).inspect(shlex.join(words_)).stdout)
