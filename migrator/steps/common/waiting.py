"""What waits in a host's queue, and the runs of the queue that deliver it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence

from migrator.change import HostName
from migrator.errors import VerifyFailed
from migrator.sendmail import endings, queue
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage, Recipient
from migrator.steps.base import Context
from migrator.steps.common import ask

PATIENCE = 20
"""Seconds given to the messages that waited before the queue is run once more."""
AT_ONCE = 500
"""How many messages one run of the queue is given: each run reads the whole folder, and a command line has an end."""

DOMAINS_AT_ONCE = 2000
"""How many domains one run of the queue is given."""


def for_domains(context: Context, host: HostName = "old") -> tuple[QueuedMessage, ...]:
    """Return the messages with a recipient in one of the plan's domains; quarantined and lost ones included."""
    domains = context.plan.domains
    directories = parse_cf(context.facts(host).cf).queue_directories
    output = context.reader(host).inspect(queue.domains_script(directories, domains))
    return tuple(message for message in queue.parse_dump(output.stdout) if message.recipients_in(domains))


def for_own_mailboxes(context: Context, host: HostName = "old") -> tuple[QueuedMessage, ...]:
    """Return the queued messages that a run of the queue would put into a mailbox of the host itself.

    Those are what an alias, a list or a .forward has turned toward a mailbox, a program or a file already, and what is
    for one of the host's own names: the live rules are asked where each recipient ends. Recipients in the plan's
    domains are not among them, for they go where the domains go.
    """
    return queued(staying(context, host))


def staying(context: Context, host: HostName = "old") -> tuple[QueuedMessage, ...]:
    """Return the messages of every kind with a recipient that ends on the host: quarantined and lost ones as well."""
    configuration = parse_cf(context.facts(host).cf)
    domains = frozenset(domain.lower() for domain in context.plan.domains)
    script = queue.elsewhere_script(configuration.queue_directories, context.plan.domains)
    found = _dumped(context, host, script)
    if not (texts := _outside(found, domains)):
        return ()
    here = _ending_here(context, host, texts)
    more = {one.domain for one in _recipients(found) if one.text in here and queue.is_domain(one.domain)}
    if more := more - domains:
        # One message stood for its domain so far; here others of the domain may stay as well, or it alone may.
        found = tuple(dict.fromkeys((*found, *_read(context, host, sorted(more)))))
        if rest := [text for text in _outside(found, domains) if text not in texts]:
            here |= _ending_here(context, host, rest)
    return tuple(message for message in found if any(one.text in here for one in message.recipients))


def recipients_of(messages: Sequence[QueuedMessage]) -> str:
    """Return messages for a person, with their recipients: the first few."""
    shown = "; ".join(
        f"{one.id} ({one.kind}) for {', '.join(_named(each) for each in one.recipients[:3])}"
        for one in messages[:5]
    )
    return f"{shown} and {len(messages) - 5} more" if len(messages) > 5 else shown or "none"


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
        context.still(
            waited, f"waiting for {len(left)} messages to leave the {host} host's queue: {words(left)}"
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
    # One run for many domains, for each run reads every file of the queue; but a command line has an end.
    limits = [f"-qR{shlex.quote('@' + domain)}" for domain in context.plan.domains]
    runs = [
        f"sendmail -OMinQueueAge=0 -OQueueLA=1000 {' '.join(limits[first : first + DOMAINS_AT_ONCE])}\n"
        for first in range(0, len(limits), DOMAINS_AT_ONCE)
    ]
    return f"{purge(context, host)}{''.join(runs)}"


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


def _read(context: Context, host: HostName, domains: Sequence[str]) -> tuple[QueuedMessage, ...]:
    directories = parse_cf(context.facts(host).cf).queue_directories
    return _dumped(context, host, queue.domains_script(directories, domains))


def _dumped(context: Context, host: HostName, script: str) -> tuple[QueuedMessage, ...]:
    return queue.parse_dump(context.reader(host).inspect(script).stdout)


def _recipients(messages: Sequence[QueuedMessage]) -> Iterator[Recipient]:
    return (one for message in messages for one in message.recipients)


def _outside(messages: Sequence[QueuedMessage], domains: Collection[str]) -> list[str]:
    """Return what is written of the recipients outside of the domains, once each; names without a domain first."""
    found = {one.text: one.domain for one in _recipients(messages) if one.domain not in domains}
    return sorted(found, key=lambda text: bool(found[text]))


def _ending_here(context: Context, host: HostName, texts: Sequence[str]) -> set[str]:
    """Return those of the recipients that a run of the queue would deliver on the host."""
    found = ask.endings(context.reader(host), texts)
    configuration, facts = parse_cf(context.facts(host).cf), context.facts(host)
    return {text for text in texts if endings.ends_here(configuration, text, found[text], facts.accounts)}


def _named(recipient: Recipient) -> str:
    return recipient.text + (f" (of {recipient.controlling})" if recipient.controlling else "")
