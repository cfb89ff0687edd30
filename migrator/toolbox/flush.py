"""A run of the queue that is watched: which messages left it and where to, and which stay and why."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from migrator.change import Change, HostName, Shell, Undo
from migrator.errors import UsageError
from migrator.sendmail import log, tally
from migrator.sendmail.cf import Configuration
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context
from migrator.steps.common import waiting
from migrator.toolbox import maillog, queues
from migrator.toolbox.base import Tool
from migrator.toolbox.queues import Queues

PARTS = 20
"""In how many parts a run is made at most: after each it is told how far it is; each reads the folder anew."""

SMALLEST = 10
"""How many messages a part has at least."""

LONGEST = 6 * 3600.0
"""How long one part may take, in seconds: hosts that do not answer are waited for, one after the other."""

SHOWN = 20
ASKED_LOG = 2000
"""Of how many messages the log is asked; a command line has an end."""


class Flush(Tool):
    """Deliver what waits in the queues.

    Given the host, and whose messages: of one recipient, of one domain, or all. A message with several recipients
    is tried for each of them, as Sendmail's own -qR does.
    """

    name = "flush"

    def __init__(
        self, host: HostName, *, recipient: str = "", domain: str = "", everything: bool = False
    ) -> None:
        super().__init__(host)
        if [bool(recipient), bool(domain), everything].count(True) != 1:
            raise UsageError(
                "Whose mail?", advice="give one of --recipient ADDRESS, --domain DOMAIN and --all"
            )
        self._recipient = recipient
        self._domain = domain
        self._before: dict[str, QueuedMessage] = {}
        self.stayed: tuple[QueuedMessage, ...] = ()

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return how many messages wait in each queue; after a run what became of those that waited before it."""
        found = self._read(context)
        if not self._before:
            self._before = {one.id: one for one in self._wanted(found.all)}
            return self._counts(found)
        here = {one.id for one in found.all}
        self.stayed = tuple(one for one in self._wanted(found.all) if one.id in self._before)
        left = [number for number in self._before if number not in here]
        return {**self._counts(found), **self._left(context, left), **_stayed(self.stayed)}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the runs of the queue: the client queue first, for what leaves it goes through the other."""
        found = self._read(context)
        rows = (("client", "-Ac ", found.client, found.client_cf), ("MTA", "", found.mta, found.mta_cf))
        for name, option, messages, configuration in rows:
            wanted = sorted(waiting.queued(self._wanted(messages)), key=_destination)
            for number, part in enumerate(parts := _parts(wanted), 1):
                of = f" ({len(wanted)} in all, part {number} of {len(parts)})" if len(parts) > 1 else ""
                yield Change(
                    f"deliver {len(part)} messages of the {name} queue{of}",
                    Shell(
                        self.host,
                        _purge(configuration) + run_of(part, option),
                        timeout=LONGEST,
                        shown=f"sendmail {option}-qI… of {len(part)} messages: {waiting.words(part)}",
                    ),
                    Undo.NOT_NEEDED,
                )

    def verify(self, context: Context) -> None:
        """Expect nothing: a message that stays is told with its reason, and the host goes on trying it."""

    def _read(self, context: Context) -> Queues:
        return queues.read(context.reader(self.host), context.facts(self.host))

    def _wanted(self, messages: Sequence[QueuedMessage]) -> tuple[QueuedMessage, ...]:
        return queues.chosen(messages, recipient=self._recipient, domain=self._domain)

    def _counts(self, found: Queues) -> dict[str, str]:
        counts = {
            "MTA queue": counted(self._wanted(found.mta)),
            "client queue": counted(self._wanted(found.client)),
        }
        return {**counts, "why": found.explanation} if found.explanation else counts

    def _left(self, context: Context, numbers: Sequence[str]) -> dict[str, str]:
        told = log.attempts(maillog.about(context.reader(self.host), numbers[:ASKED_LOG]), numbers)
        last = {(one.id, one.recipients): one for one in told}
        outcomes = Counter("sent" if one.sent else one.outcome for one in last.values())
        words = "; ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common(5))
        return {"left": f"{len(numbers)} messages" + (f" (by the log: {words})" if words else "")}


def counted(messages: Sequence[QueuedMessage]) -> str:
    """Return messages as a number of each kind, and since when the oldest waits."""
    kinds = Counter(one.kind for one in messages)
    since = tally.oldest(messages)
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), reverse=True)) or "empty"
    return f"{words}, the oldest since {since:%Y-%m-%d %H:%M} UTC" if since else words


def run_of(messages: Sequence[QueuedMessage], option: str = "") -> str:
    """Return the script that tries just these messages; `option` is "-Ac " for those of the client queue.

    It ends when they were tried: `-qf` runs in the foreground (sendmail(8)), any other run of the queue forks.
    """
    return waiting.run_of(messages).replace("sendmail ", f"sendmail {option}-qf ")


def _stayed(messages: Sequence[QueuedMessage]) -> dict[str, str]:
    rows = {"stayed": counted(messages) if messages else "none"}
    for one in messages[:SHOWN]:
        whom = ", ".join(each.address for each in one.recipients[:3])
        note = " (release it with `sendmail -qQ -Q`)" if one.kind == "quarantined" else ""
        rows[f"stayed {one.id}"] = f"for {whom}: {'; '.join(tally.reasons(one))}{note}"
    return rows


def _destination(message: QueuedMessage) -> str:
    # One run keeps a connection for the next message to the same host.
    return message.recipients[0].domain if message.recipients else ""


def _parts(messages: Sequence[QueuedMessage]) -> list[Sequence[QueuedMessage]]:
    size = max(SMALLEST, -(-len(messages) // PARTS))
    return [messages[first : first + size] for first in range(0, len(messages), size)]


def _purge(configuration: Configuration) -> str:
    """Return the script that forgets which hosts did not answer: a run would pass over them."""
    status = configuration.host_status_directory
    if not status:
        return ""
    folder = shlex.quote(status if status.startswith("/") else f"{configuration.queue_directory}/{status}")
    return f"if [ -d {folder} ]; then find {folder} -type f -delete; fi\n"
