"""What waits on a host: the queue of the MTA with all its groups, and that of mail programs (clientmqueue)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from migrator import host_text
from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.hosts.families import WAYS
from migrator.hosts.sockets import LISTING, answers, listening
from migrator.sendmail import queue, tally
from migrator.sendmail.cf import Configuration
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.queue import QueuedMessage
from migrator.sendmail.text_error import TextError

SUBMIT_CF = "/etc/mail/submit.cf"

_NUMBER = re.compile(r"[A-Za-z0-9]{6,24}")


@dataclass(frozen=True, slots=True)
class Queues:
    """The messages of both queues, the configurations that name the queues, and what is listened on."""

    mta: tuple[QueuedMessage, ...]
    client: tuple[QueuedMessage, ...]
    mta_cf: Configuration
    client_cf: Configuration
    local_port: int
    local_address: str
    answered: bool

    @property
    def all(self) -> tuple[QueuedMessage, ...]:
        """The messages of both queues."""
        return self.mta + self.client

    @property
    def by_name(self) -> tuple[tuple[str, tuple[QueuedMessage, ...]], ...]:
        """The messages of "mta" and of "client"."""
        return (("mta", self.mta), ("client", self.client))

    @property
    def explanation(self) -> str:
        """Why messages wait in the client queue, "" where none do.

        Sendmail as a mail program leaves a message there and hands it to the daemon of its own host
        (sendmail/SECURITY, "Mail submission program"); a runner of that queue tries again later.
        """
        if not self.client:
            return ""
        where = f"port {self.local_port} of {self.local_address}"
        if not self.answered:
            return (
                f"{len(self.client)} messages wait in the client queue because no daemon listens on {where}: start "
                "Sendmail's daemon there, and `migrate queue flush --all` hands them over"
            )
        said = tally.top(self.client, "reason", 1)[0].name
        return (
            f"{len(self.client)} messages wait in the client queue, though a daemon listens on {where}: the reason of "
            f"most is {said!r}; the next run of the client queue tries again, `migrate queue flush --all` at once"
        )


def read(reader: Reader, facts: HostFacts, wanted: str = "") -> Queues:
    """Read both queues in one round trip; `wanted` is an expression that a line of a message must match.

    Raises CommandFailed where a queue cannot be read whole.
    """
    mta_cf = parse_cf(facts.cf)
    client_cf = parse_cf(reader.read_file(SUBMIT_CF) or "")
    mta_folders = mta_cf.queue_directories
    client_folders = _client_folders(client_cf, facts)
    commands = [shlex.join(queue.reader_command(each, wanted)) for each in (mta_folders, client_folders)]
    mark = "\n====sockets====\n"
    output = reader.inspect(
        f"{commands[0]}\nprintf '\\n====queue====\\n'\n{commands[1]}\nprintf {shlex.quote(mark)}\n{LISTING}"
    )
    dumps, found, sockets = output.stdout.rpartition(mark)
    parts = dumps.split("\0\n====queue====\n")
    try:
        if not found or len(parts) != 2:
            raise TextError("the list of the queue is not whole")
        mta, client = queue.parse_dump(f"{parts[0]}\0"), queue.parse_dump(parts[1])
    except TextError as error:
        raise CommandFailed(
            "the queues could not be read",
            status=output.status,
            host=reader.name,
            expected=f"the control files of {', '.join((*mta_folders, *client_folders))}",
            seen=(output.stderr.strip() or str(error))[-500:],
            advice="run the same command again; if it stays, see whether these folders can be read there",
        ) from error
    address, port = submission(client_cf)
    answered = answers(listening(sockets), address, port)
    return Queues(mta, client, mta_cf, client_cf, port, address, answered)


def submission(client_cf: Configuration) -> tuple[str, int]:
    """Given a submit.cf, return the address and port that mail programs hand their mail to.

    FEATURE(`msp', HOST, PORT) sets them (cf/README); a name instead of an address is taken for the host itself.
    """
    host = client_cf.macros.get("MTAHost", "[127.0.0.1]")
    try:
        address = str(ip_address(host.strip().strip("[]").removeprefix("IPv6:")))
    except ValueError:
        address = "127.0.0.1"
    relay = client_cf.mailer("relay")
    words = host_text.words(relay.fields.get("A", "")) if relay else []
    given = words[2] if len(words) > 2 and words[2].isdecimal() and len(words[2]) < 6 else "25"
    return address, int(given)


def checked_number(number: str) -> str:
    """Given the queue's number of a message, return it. Raises TextError for what is none."""
    if not _NUMBER.fullmatch(number):
        raise TextError(f"{number!r} is no number of a message in a queue")
    return number


def chosen(
    messages: Sequence[QueuedMessage], *, recipient: str = "", domain: str = ""
) -> tuple[QueuedMessage, ...]:
    """Given messages, return those with this recipient, or with a recipient in this domain; all for neither."""
    if recipient:
        wanted = tally.folded(recipient)
        return tuple(
            one for one in messages if any(tally.folded(each.address) == wanted for each in one.recipients)
        )
    return tuple(one for one in messages if one.recipients_in([domain])) if domain else tuple(messages)


def _client_folders(client_cf: Configuration, facts: HostFacts) -> tuple[str, ...]:
    if client_cf.option("QueueDirectory"):
        return client_cf.queue_directories
    return (WAYS[facts.family].client_queue,)
