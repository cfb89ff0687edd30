"""What waits on the old host and would be refused by the new one: it is kept, for a refusal after a 250 is a bounce."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from migrator import host_text
from migrator.change import Change, HostName, Shell, Undo
from migrator.hosts import asking
from migrator.sendmail.queue import QueuedMessage
from migrator.sendmail.verification import askable
from migrator.steps.base import Context
from migrator.steps.common.relaying import other, planned
from migrator.steps.common.waiting import AT_ONCE
from migrator.steps.common.words import some

HELD = "flush.held"
"""Where the numbers of the messages are remembered that were quarantined on the old host."""
HELD_HOME = "drain-home.held"
"""The same for the new host, on the way home: the old host's release is none of theirs."""

_RELEASED = f"{HELD}.released"
_SHOWN = 20


def held(context: Context, messages: Sequence[QueuedMessage], host: HostName = "old") -> Iterator[Change]:
    """Yield the quarantine of those queued messages that the other host would refuse, with each address and why.

    Each recipient is asked for from the host itself, and the size of each message is compared with what the other
    host takes. Nothing where nothing would be refused, or nobody can tell.
    """
    domains = context.plan.domains
    wanted = {one.address for message in messages for one in message.recipients_in(domains)}
    address, name = planned(context, other(host)).address, f"migrate.{domains[0]}"
    text = asking.script(address, askable(sorted(wanted)), name=name) + _sizes(messages)
    output = context.reader(host).inspect(text, timeout=asking.LONGEST + 60.0).stdout
    refusals, sizes = asking.parse(output), _parsed(output)
    reasons: dict[str, str] = {}
    told: dict[str, None] = {}
    for message in messages:
        for one in message.recipients_in(domains):
            if reply := refusals.recipients.get(one.address.lower()):
                reasons[message.id] = reply
                told[f"{one.address} ({reply})"] = None
        if 0 < refusals.largest < sizes.get(message.id, 0):
            reasons[message.id] = "too large"
            who = ", ".join(one.address for one in message.recipients_in(domains))
            told[f"{who} ({sizes[message.id]} bytes, and it takes {refusals.largest})"] = None
    if reasons:
        ids = [message.id for message in messages if message.id in reasons]
        yield Change(
            f"keep {len(ids)} messages back (quarantined) that the {other(host)} host would refuse and the {host} one "
            f"would bounce: {some(tuple(told), _SHOWN)}; make the {other(host)} host take them, then release them on "
            f"the {host} one (sendmail -Q -qQ -qI and the number)",
            Shell(host, _each("the other host would refuse it", ids)),
            Undo.NOT_NEEDED,  # the way home releases the old host's, once that delivers for itself again
            {_key(host): " ".join((*_kept(context, host), *ids))},
        )


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


def _each(reason: str, ids: Sequence[str], of: str = "") -> str:
    """Return the script that quarantines messages for a reason, or, without one, releases them (sendmail(8), -Q)."""
    limits = [f"-qI{shlex.quote(one)}" for one in ids]
    return "".join(
        f"sendmail {shlex.quote(f'-Q{reason}')} {of}{' '.join(limits[first : first + AT_ONCE])}\n"
        for first in range(0, len(limits), AT_ONCE)
    )


def _sizes(messages: Sequence[QueuedMessage]) -> str:
    """Return the script that prints the size of each message, by its number: that of its body and its control file.

    The headers stand in the latter, with little else, and count for the host that takes the message (collect.c).
    """
    listed = "".join(f"{message.id} {message.folder}\n" for message in messages if message.folder)
    return (
        "while read -r number folder; do\n"
        '    for body in "$folder/df$number" "${folder%/qf}/df/df$number"; do\n'
        '        if [ -f "$body" ]; then\n'
        '            size=$(cat "$folder/qf$number" "$body" 2>/dev/null | wc -c | tr -d \' \')\n'
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
