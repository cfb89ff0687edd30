"""Whether mail that has to wait while the old host holds it may wait that long: queuereturn sends it back otherwise."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from migrator.errors import CommandFailed, Refused
from migrator.plan import Plan
from migrator.sendmail import queue
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage
from migrator.sendmail.text_error import TextError
from migrator.sendmail.timeouts import Timeouts, timeouts
from migrator.steps.base import Context
from migrator.steps.common import waiting

QUEUERETURN = "queuereturn"
"""The word of --force that lets mail be held although some of it would be returned to its senders meanwhile."""

NIGHT = timedelta(days=1)
"""How long a run that stopped while mail waits may stand until somebody goes on with it."""

CURE = (
    "give sendmail.mc of the old host define(`confTO_QUEUERETURN', `5d') (and confTO_QUEUERETURN_NORMAL, _URGENT, "
    "_NONURGENT and _DSN where they are set), run make -C /etc/mail and restart Sendmail"
)
CURE_OF_OLD = (
    "see why it waits (`migrate queue list`) and deliver it first, by `migrate queue flush`; or let it wait longer: "
    f"{CURE}"
)


@dataclass(frozen=True, slots=True)
class Expiring:
    """A message that waits, and how long it has left until it is returned (not less than 0)."""

    message: QueuedMessage
    left: timedelta


def longest(plan: Plan) -> timedelta:
    """Return how long mail may be held while a run is under way: then it goes back by itself, and a port opens."""
    return plan.cutover.budget * plan.cutover.overrun + plan.cutover.max_closed


def known(context: Context) -> Timeouts:
    """Return the old host's times."""
    return timeouts(parse_cf(context.facts("old").cf))


def expiring(context: Context, within: timedelta) -> tuple[Expiring, ...]:
    """Return the messages for the domains or for the old host's own mailboxes that are returned within a time."""
    times, now = known(context), context.now()
    found = [
        Expiring(message, max(message.created + times.of_sender(message.sender) - now, timedelta(0)))
        for message in _older(context, now + within - times.shortest)
        if message.created and (message.recipients_in(context.plan.domains) or message.local_recipients)
    ]
    return tuple(sorted((one for one in found if one.left <= within), key=lambda one: one.left))


def older_script(directories: Sequence[str], moment: datetime) -> str:
    """Given queue directories as a sendmail.cf names them, return the sh text that prints what `parse_dump` reads.

    Of the messages that were queued before a moment alone: a queue may hold a hundred thousand.
    """
    words_ = shlex.join(directories)
    return _OLDER.replace("@BEFORE@", str(int(moment.timestamp()))).replace("@DIRECTORIES@", words_)


_OLDER = r"""older() { # folder of control files
    if [ ! -d "$1" ]; then return 0; fi
    find "$1" -maxdepth 1 -type f -name 'qf?*' -exec grep -Has '^T[0-9]' {} + |
    awk '{ at = match($0, /:T[0-9]+$/); if (at && substr($0, at + 2) + 0 <= @BEFORE@) print substr($0, 1, at - 1) }' |
    tr '\n' '\000' | xargs -0 -r grep -aHZs -e '^[VTKNMSRq.]'
}
for directory in @DIRECTORIES@; do
    case $directory in
        *'*') for match in "${directory%\*}"*/; do older "${match%/}"; older "${match%/}/qf"; done ;;
        *) older "$directory"; older "$directory/qf" ;;
    esac
done
printf '\000'
exit 0
"""


def _older(context: Context, moment: datetime) -> tuple[QueuedMessage, ...]:
    directories = parse_cf(context.facts("old").cf).queue_directories
    output = context.old.inspect(older_script(directories, moment))
    try:
        return queue.parse_dump(output.stdout) if output.stdout or output.status else ()
    except TextError as error:
        raise CommandFailed(
            "the old host's queue cannot be read",
            status=output.status,
            host="old",
            expected="every control file of the queue",
            seen=output.stderr.strip()[-300:] or str(error),
            advice="run it again; if it stays, see what `ls` says of the queue's folder there",
        ) from None


def words(found: Collection[Expiring]) -> str:
    """Return for a person how many messages these are, and the first few with the time that is left."""
    shown = ", ".join(f"{one.message.id} in {time(one.left)}" for one in list(found)[:5])
    return f"{len(found)} waiting messages go back to their senders soon: {shown}"


def time(span: timedelta) -> str:
    """Return a time as a person says it."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def expect_time(context: Context) -> None:
    """Raise Refused where a message that waits for the domains would go back to its sender while mail is held."""
    if QUEUERETURN in context.force:
        return
    held = longest(context.plan)
    found = expiring(context, held)
    if found or known(context).shortest <= held:
        raise Refused(
            words(found)
            if found
            else f"mail may wait for {time(known(context).shortest)} alone on the old host",
            host="old",
            expected=f"nothing is returned while mail may be held, {time(held)} (budget, overrun, max_closed)",
            seen=waiting.words([one.message for one in found])
            if found
            else "Timeout.queuereturn of sendmail.cf",
            advice=CURE_OF_OLD if found else CURE,
            lifted_by=QUEUERETURN,
        )
