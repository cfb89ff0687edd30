"""What waits on the old host and would be refused by the new one: it is kept, for a refusal after a 250 is a bounce.

It is asked for twice. Before the new host is opened to the old one, whose own runs of the queue begin at any moment, by
the new host's rules about recipients (`sendmail -bv`), about senders and clients (check_mail, check_rcpt) and its limit
of size; once it is open, by RCPT from the old host, which alone shows what else refuses, such as a milter. What is
refused after DATA nobody can foresee.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from migrator import host_text
from migrator.change import Change, HostName, Shell, Undo, Upload
from migrator.hosts import asking
from migrator.sendmail import admission
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage, Recipient
from migrator.sendmail.verification import askable
from migrator.steps.base import Context
from migrator.steps.common import ask
from migrator.steps.common.at_once import at_once
from migrator.steps.common.relaying import other, planned
from migrator.steps.common.waiting import AT_ONCE
from migrator.steps.common.words import some

HELD = "flush.held"
"""Where the numbers of the messages are remembered that were quarantined on the old host."""
HELD_HOME = "drain-home.held"
"""The same for the new host, on the way home: the old host's release is none of theirs."""

REASON = "the other host would refuse it"
"""What the messages are quarantined for; a release finds them by it."""

_RELEASED = f"{HELD}.released"
_SHOWN = 20
_BUSY = 15
"""Seconds in which a message may be in the hands of a run of the queue, before the new host is opened."""


def foreseen(context: Context, messages: Sequence[QueuedMessage]) -> Iterator[Change]:
    """Yield the quarantine of those of the old host's queued messages that the closed new one would refuse.

    For the steps that open the new host: a run of the old host's queue may come before `flush` has asked. The change
    fails where a run of the queue has such a message in its hands for long. Nothing where nothing would be refused.
    """
    if not messages:
        return
    largest = parse_cf(context.facts("new").cf).max_message_size
    refused, denied, sizes = at_once(
        lambda: ask.refused(context.new, askable(_recipients(context, messages))),
        lambda: _denied(context, messages, "old"),
        lambda: _parsed(context.old.inspect(_sizes(messages)).stdout) if largest else {},
    )
    replies = dict.fromkeys(refused, "by sendmail -bv there")
    found = _Refused.of(context, messages, asking.Refusals(replies, largest, by_sender=denied), sizes)
    if found.ids:
        change = found.kept(context, "old")
        yield replace(change, do=Shell("old", _each(REASON, found.ids) + _until_kept(found.messages)))


def held(context: Context, messages: Sequence[QueuedMessage], host: HostName = "old") -> Iterator[Change]:
    """Yield the quarantine of those queued messages that the other host would refuse, with each address and why.

    Each recipient is asked for from the host itself, and the size of each message is compared with what the other
    host takes. Nothing where nothing would be refused, or nobody can tell.
    """
    found = _asked(context, messages, host)[0]
    if found.ids:
        yield found.kept(context, host)


def taken_now(context: Context, messages: Sequence[QueuedMessage]) -> Iterator[Change]:
    """Yield the release of those of the old host's messages that were kept back and that the new one takes by now.

    Every recipient of such a message was answered with 2xx just now; without an answer it stays where it is. The
    change's `remember` holds the numbers of those that are still kept.
    """
    kept = set(_kept(context))
    ours = tuple(message for message in messages if message.kind == "quarantined" and message.id in kept)
    if not ours:
        return
    refused, answers = _asked(context, ours, "old")
    free = [one for one in ours if one.id not in refused.ids and _all_taken(context, one, answers)]
    if free:
        ids = [one.id for one in free]
        yield Change(
            f"release {len(ids)} messages that were kept back in the old host's queue, for the new one takes them now",
            Shell("old", _each("", ids, of="-qQ ")),
            Undo.NOT_NEEDED,
            {HELD: " ".join(one for one in _kept(context) if one not in ids)},
        )


def is_kept(context: Context, message: QueuedMessage) -> bool:
    """Return whether a message of the old host is one that was kept back, and told when it was."""
    return message.id in _kept(context)


def released(context: Context) -> Iterator[Change]:
    """Yield the release of what was kept back on the old host, which delivers for itself again."""
    ids = _kept(context)
    if ids and _RELEASED not in context.memory:
        yield Change(
            f"release {len(ids)} messages that were kept back in the old host's queue",
            Shell("old", _each("", ids, of="-qQ ")),
            Undo.NOT_NEEDED,
            {_RELEASED: "yes"},
        )


def releasing(change: Change) -> Change:
    """Given a change by which the old host relays, return it with an undo that releases what was kept back, too.

    It stands at the end of what is undone: the old host delivers for itself again by then, and hands nothing on.
    """
    undo = change.undo
    assert isinstance(undo, Upload)  # noqa: S101 - a change of files is undone by files
    release = f"sendmail -Q {shlex.quote(f'-qQ{REASON}')}"
    shown = f"{undo.shown}\n{release}" if undo.shown else ""
    return replace(
        change, undo=replace(undo, then=f"{undo.then}{release} >/dev/null 2>&1 || :\n", shown=shown)
    )


@dataclass(frozen=True, slots=True)
class _Refused:
    """Which messages would be refused, and what is told of it: each address with why."""

    messages: tuple[QueuedMessage, ...]
    told: tuple[str, ...]

    @classmethod
    def of(
        cls,
        context: Context,
        messages: Sequence[QueuedMessage],
        answers: asking.Refusals,
        sizes: Mapping[str, int],
    ) -> _Refused:
        """Return it, given messages, what their recipients were answered with, and sizes in bytes by number."""
        domains = context.plan.domains
        refused: dict[str, QueuedMessage] = {}
        told: dict[str, None] = {}
        for message in messages:
            recipients = message.recipients_in(domains)
            for one in recipients:
                if reply := _reply(message, one, answers):
                    refused[message.id] = message
                    told[f"{one.address} ({reply})"] = None
            if 0 < answers.largest < sizes.get(message.id, 0):
                refused[message.id] = message
                who = ", ".join(one.address for one in recipients)
                told[f"{who} ({sizes[message.id]} bytes, and it takes {answers.largest})"] = None
        return cls(tuple(refused.values()), tuple(told))

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.messages]

    def kept(self, context: Context, host: HostName) -> Change:
        """Return the quarantine on a host."""
        return Change(
            f"keep {len(self.ids)} messages back (quarantined) that the {other(host)} host would refuse and the {host} "
            f"one would bounce: {some(self.told, _SHOWN)}; make the {other(host)} host take them, then release them on "
            f"the {host} one (sendmail -Q -qQ -qI and the number)",
            Shell(host, _each(REASON, self.ids)),
            Undo.NOT_NEEDED,  # the way back releases the old host's, once that delivers for itself again
            {_key(host): " ".join(dict.fromkeys((*_kept(context, host), *self.ids)))},
        )


def _asked(
    context: Context, messages: Sequence[QueuedMessage], host: HostName
) -> tuple[_Refused, asking.Refusals]:
    """Return what would be refused of the messages of a host, asked from there by RCPT, and all the answers."""
    address, *others = planned(context, other(host)).addresses
    text = asking.script(
        address,
        askable(_recipients(context, messages)),
        name=f"migrate.{context.plan.domains[0]}",
        others=others,
        senders=_by_sender(context, messages),
    ) + _sizes(messages)
    output, denied = at_once(
        lambda: context.reader(host).inspect(text, timeout=asking.LONGEST + 60.0).stdout,
        lambda: _denied(context, messages, host),
    )
    answers = asking.parse(output)
    # Where the port itself answers it is the judge, but it answers 250 to what it throws away.
    thrown = {pair: reply for pair, reply in denied.items() if reply == admission.THROWN_AWAY}
    answers = replace(answers, by_sender={**answers.by_sender, **thrown})
    return _Refused.of(context, messages, answers, _parsed(output)), answers


def _denied(context: Context, messages: Sequence[QueuedMessage], host: HostName) -> dict[admission.Pair, str]:
    """Return what the other host's rules refuse of a host's messages, by sender and recipient, with its answer."""
    domains, facts = context.plan.domains, context.facts(host)
    counts = Counter(
        (sender, one)
        for message in messages
        for sender in (askable([message.sender]) if message.sender else ("",))
        for one in askable([each.address for each in message.recipients_in(domains)])
    )
    pairs = [pair for pair, _ in counts.most_common()]
    name = facts.hostname if "." in facts.hostname else context.plan.mail_host
    text = admission.script(facts.source or planned(context, host).address, name, pairs)
    output = context.reader(other(host)).inspect(text, timeout=admission.LONGEST + 60.0)
    return admission.refused(output.stdout, pairs)


def _by_sender(context: Context, messages: Sequence[QueuedMessage]) -> dict[str, tuple[str, ...]]:
    """Return the recipients of each sender of the messages, the sender of most messages first."""
    counts = Counter(sender for message in messages for sender in askable([message.sender]))
    found: dict[str, list[str]] = {sender: [] for sender, _ in counts.most_common()}
    for message in messages:
        for sender in askable([message.sender]):
            found[sender] += [one.address for one in message.recipients_in(context.plan.domains)]
    return {sender: askable(recipients) for sender, recipients in found.items()}


def _reply(message: QueuedMessage, recipient: Recipient, answers: asking.Refusals) -> str:
    """Return by what a recipient of a message would be refused: itself, from its sender, or the sender; "" for none."""
    address, sender = recipient.address.lower(), message.sender.lower()
    if reply := answers.recipients.get(address) or answers.by_sender.get((sender, address)):
        return reply
    denied = answers.senders.get(sender, "")
    return f"from {sender}: {denied}" if denied else ""


def _recipients(context: Context, messages: Sequence[QueuedMessage]) -> list[str]:
    return sorted(
        {one.address for message in messages for one in message.recipients_in(context.plan.domains)}
    )


def _all_taken(context: Context, message: QueuedMessage, answers: asking.Refusals) -> bool:
    """Return whether every recipient was taken: from the null sender, and from the message's own, where one can ask."""
    addresses = [one.address.lower() for one in message.recipients_in(context.plan.domains)]
    own = askable([message.sender])
    return all(one in answers.taken for one in addresses) and all(
        (sender, one) in answers.taken_from for sender in own for one in addresses
    )


def _until_kept(messages: Sequence[QueuedMessage]) -> str:
    """Return the script that quarantines the messages again while a run of the queue has them in its hands.

    Sendmail passes over what another process has locked (queue.c); the control file's name tells what is done.
    """
    listed = "".join(f"{message.id} {message.folder}\n" for message in messages)
    numbers = _each(REASON, [message.id for message in messages])
    return (
        "tried=0\nwhile :; do\n    busy=\n    while read -r number folder; do\n"
        '        if [ -e "$folder/qf$number" ]; then busy="$busy $number"; fi\n'
        f"    done <<'END_OF_THE_MESSAGES'\n{listed}END_OF_THE_MESSAGES\n"
        '    if [ -z "$busy" ]; then break; fi\n'
        f"    if [ $tried -ge {_BUSY} ]; then\n"
        '        printf "a run of the queue has these in its hands:%s\\n" "$busy" >&2\n        exit 1\n    fi\n'
        f"    tried=$((tried + 1))\n    sleep 1\n{numbers}done\n"
    )


def _each(reason: str, ids: Sequence[str], of: str = "") -> str:
    """Return the script that quarantines messages for a reason, or, without one, releases them (sendmail(8), -Q)."""
    limits = [f"-qI{shlex.quote(one)}" for one in ids]
    return "".join(
        f"sendmail {shlex.quote(f'-Q{reason}')} {of}{' '.join(limits[first : first + AT_ONCE])}\n"
        for first in range(0, len(limits), AT_ONCE)
    )


def _sizes(messages: Sequence[QueuedMessage]) -> str:
    """Return the script that prints the size of each message, by its number: that of its body and its control file.

    The headers stand in the latter, with little else, and count for the host that takes the message (collect.c). Names
    are told whole: a pattern would read all of a folder that may hold 100,000 others, for each of the messages.
    """
    listed = "".join(f"{message.id} {message.folder}\n" for message in messages if message.folder)
    return (
        "while read -r number folder; do\n"
        '    for body in "$folder/df$number" "${folder%/qf}/df/df$number"; do\n'
        '        if [ -f "$body" ]; then\n'
        '            size=$(cat "$folder/qf$number" "$folder/hf$number" "$body" 2>/dev/null | wc -c | tr -d \' \')\n'
        '            printf \'body %s %s\\n\' "$number" "$size"\n'
        "        fi\n"
        f"    done\ndone <<'END_OF_THE_MESSAGES'\n{listed}END_OF_THE_MESSAGES\n"
    )


def _parsed(output: str) -> dict[str, int]:
    rows = (line.split(" ") for line in output.split("\n") if line.startswith("body "))
    return {row[1]: int(row[2]) for row in rows if len(row) == 3 and row[2].isascii() and row[2].isdecimal()}


def _key(host: HostName) -> str:
    return HELD if host == "old" else HELD_HOME


def _kept(context: Context, host: HostName = "old") -> list[str]:
    return host_text.words(context.memory.get(_key(host), ""))
