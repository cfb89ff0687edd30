"""What is known to be where once the old host is lost: said before anything is done without it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from migrator import host_text
from migrator.change import Change, Note, Undo
from migrator.errors import HostError, Refused
from migrator.steps.base import Context, Phase, Question, Step
from migrator.steps.common import waiting
from migrator.steps.common.opening import OPENED
from migrator.steps.lost.ends import ended

OLD_HOST_LOST = "old-host-lost"
"""The word of --force that ends a migration with the new host alone."""

LOST = "old-host.lost"
"""Where it is remembered since when (ISO 8601) the migration goes on without the old host."""

PASSES = ("settle", "final-copy", "sweep", "catch-up")
"""What whole passes are remembered as, the later ones first; those of the presync have a number behind."""

SUSPENDED = "cutover.suspended"
"""Where the engine remembers since when the old host keeps mail back."""

_SHOWN = 20


class TellLost(Step):
    """Say what is known to be where now that the old host is lost, and go on with the new host alone."""

    name = "old-host-lost"
    phase = Phase.CUTOVER
    after = ""

    def ready(self, context: Context) -> None:
        """Raise Refused where the old host answers, or where no pass was whole: there is nothing to go on with."""
        if LOST in context.memory:
            return
        if not last_pass(context)[0]:
            raise Refused(
                "The new host cannot take over alone: no copy of the mail is whole on it",
                host="new",
                expected="a pass that was whole before the old host was lost",
                seen="none in the journal",
                advice="bring the old host's disk or a backup of its mailboxes back, or fill the new host's folders "
                "from a backup and move the record by hand; the journal cannot help further",
            )
        try:
            context.old.inspect(":\n")
        except HostError:
            return
        raise Refused(
            "The old host answers, so it is not lost",
            host="old",
            expected="no answer of its ssh, for good",
            seen="it answers",
            advice=f"type the command without --force {OLD_HOST_LOST}: what it still has comes with it",
        )

    def question(self, context: Context) -> Question:
        """Return what mail is lost with the old host, as far as it is known."""
        return Question("; ".join(lost(context)), "\n".join(known(context)))

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield a note of each thing that is known, and end the mailboxes that a pass may have left torn."""
        if LOST in context.memory:
            return
        for line in (*lost(context), *known(context)):
            yield Change(line, Note(), Undo.NOT_NEEDED)
        yield ended(context)
        since = {LOST: context.now().isoformat()}
        yield Change("from now on all goes on without the old host", Note(), Undo.NOT_NEEDED, since)

    def verify(self, context: Context) -> None:
        """The script fails where a mailbox could not be ended."""


def last_pass(context: Context) -> tuple[str, str]:
    """Return which pass was the last whole one, and when it ended (ISO 8601); both "" where none was."""
    found = [(context.memory[name], name) for name in PASSES if name in context.memory]
    found += [(when, key) for key, when in context.memory.items() if key.startswith("presync.")]
    dated = [(when, name) for when, name in found if _is_time(when)]
    return max(dated, default=("", ""))[::-1] if dated else ("", "")


def lost(context: Context) -> tuple[str, ...]:
    """Return what went with the old host, as far as the journal knows."""
    name, when = last_pass(context)
    gone = []
    if name not in ("final-copy", "settle"):
        gone.append(
            f"what came into the old host's mailboxes after {name} ({when}) is on the new host not at all, and of what "
            "came in while that pass ran some may be missing"
        )
    if SUSPENDED in context.memory and context.plan.cutover.strategy == "firewall":
        since = context.memory[SUSPENDED]
        gone.append(
            f"its port was closed from {since} on, so who wrote then comes again; what was queued before is gone"
        )
    elif SUSPENDED in context.memory and OPENED not in context.memory:
        since = context.memory[SUSPENDED]
        gone.append(
            f"what the old host took since {since}, and what it had queued before, waited in its queue, and none of it "
            "is on the new host"
        )
    elif OPENED in context.memory:
        gone.append(
            "what still waited in the old host's queue (mail for other domains, late mail, and what flush had not "
            "delivered of what was kept back) went with it"
        )
    else:
        gone.append("what waited in the old host's queue went with it")
    return tuple(gone)


def known(context: Context) -> tuple[str, ...]:
    """Return what is on the new host: by mailbox, and in its queue. Raises HostError where it cannot be reached."""
    lines = [
        f"{target}: {line}"
        for target in dict.fromkeys(tree.target for tree in context.plan.sync)
        for line in _mailboxes(context, target)
    ]
    queued = waiting.for_domains(context, "new")
    lines.append(
        f"in the new host's queue wait {len(queued)} messages for the domains: {waiting.words(queued)}"
    )
    lines.append(
        "where the old host's disk can still be read, its mail is in its mailboxes and in /var/spool/mqueue (a qf and "
        "a df file a message): deliver that on the new host by hand; never let the old host's port 25 come up again"
    )
    return tuple(lines)


def _mailboxes(context: Context, target: str) -> Iterator[str]:
    script = (
        f"cd {shlex.quote(target)} 2>/dev/null || exit 0\n"
        "find . -type f -printf '%P\\t%TY-%Tm-%Td %TH:%TM\\n' 2>/dev/null | awk -F '\\t' '\n"
        '{ split($1, parts, "/"); name = parts[1]; count[name]++; if ($2 > newest[name]) newest[name] = $2 }\n'
        'END { for (name in count) print name "\\t" count[name] "\\t" newest[name] }\' | LC_ALL=C sort\n'
    )
    rows = [line.split("\t") for line in host_text.lines(context.new.inspect(script).stdout)]
    whole = [row for row in rows if len(row) == 3]
    for name, count, newest in whole[:_SHOWN]:
        yield f"{name}: {count} files, the newest of {newest}"
    if len(whole) > _SHOWN:
        yield f"and {len(whole) - _SHOWN} more mailboxes"
    if not whole:
        yield "no mailbox was found"


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
