"""A lab at work: the stream, the readers and the probes together, and at the end the account of it all."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.lab.account import Account, take
from tests.lab.lab import Lab
from tests.lab.message import Message
from tests.lab.probe import BEAT_SECONDS, PortProbe
from tests.lab.readers import Readers
from tests.lab.scan import Key, scan, seeded, settle
from tests.lab.traffic import Traffic

QUEUE_SECONDS = 330.0
"""How long the queues may take at the end: a Sendmail waits 300 s for a greeting that never comes (Timeout.initial)."""


@dataclass
class Scene:
    """What goes on in a lab; `end` stops it and returns the account."""

    lab: Lab
    seeds: frozenset[Key]
    traffic: Traffic
    readers: Readers
    old_port: PortProbe
    new_port: PortProbe

    def queue_on_old(self, number: int, recipient: str) -> None:
        """Leave a message in the old host's queue, as a full disk or a locked mailbox would."""
        message = Message(
            f"queued-{number}", recipient, accepted_at=time.time(), accepted_by=self.lab.place.old
        )
        content = base64.b64encode(message.content()).decode()
        self.lab.shell(
            "old", f"base64 -d <<<{content} | sendmail -Am -odq -oi -f sender@outside.test {recipient}"
        )
        self.traffic.messages.append(message)

    def end(self, home: str = "new", *, roles: Sequence[str] = ("old", "new")) -> Account:
        """Let the last message be accepted and the queues run dry, and return the account.

        `home` is the host where all mail belongs: the old one after a way back. `roles` are the hosts whose queues
        are waited for: one that is lost keeps its own.
        """
        self.readers.stop()
        self.traffic.finish()
        self.old_port.stop()
        self.new_port.stop()
        settle(self.lab, QUEUE_SECONDS, roles=roles)
        here, there = scan(self.lab, home), scan(self.lab, "old" if home == "new" else "new")
        return take(
            # What a migration leaves behind is in its place on the old host.
            here if home == "new" else replace(here, left=[]),
            there,
            messages=self.traffic.messages,
            seeds=self.seeds,
            deleted=self.readers.deleted,
        )

    def told(self, account: Account) -> str:
        """Return the account for a person, with the ports, and what both hosts' logs say of the first faults."""
        keys = [key for name in account.FAULTS for key in getattr(account, name) if isinstance(key, tuple)]
        stories = [story(self.lab, token) for token in dict.fromkeys(token for token, _ in keys[:3])]
        return "\n".join([account.text(), self.ports(), *stories])

    def ports(self) -> str:
        """Return a line for each host that says how long its port was seen closed."""
        lines = []
        for name, probe in (("old", self.old_port), ("new", self.new_port)):
            lines.append(
                f"port 25 of the {name} host: {probe.tries} looks, closed {len(probe.closed)} times,"
                f" {probe.longest:.2f} s at the longest, {probe.total:.2f} s in all"
            )
        return "\n".join(lines)


@contextmanager
def scene(
    lab: Lab, *, rate: float = 15.0, reading: float = 10.0, beat: float = BEAT_SECONDS
) -> Iterator[Scene]:
    """Yield a lab with `rate` messages a second coming in, `reading` actions a second by readers, ports watched,
    `beat` seconds between two looks.

    The readers stop when the caller says so, which is when a real host would close its IMAP server: before the
    cutover. Everything stops at the latest at the end of the block.
    """
    seeds = seeded(lab)
    with (
        PortProbe(lab.place.old, beat=beat) as old_port,
        PortProbe(lab.place.new, beat=beat) as new_port,
        Readers(lab, rate=reading) as readers,
        Traffic(lab.place, rate=rate) as traffic,
    ):
        yield Scene(lab, seeds, traffic, readers, old_port, new_port)


def story(lab: Lab, token: str) -> str:
    """Return what the hosts' mail logs say of a message: it has another queue number at each host."""
    find = (
        f"numbers=$(grep -F '<{token}@' /var/log/mail.log | grep -oE '[0-9A-Za-z]{{8}}[0-9]{{6}}' | sort -u)\n"
        'for number in $numbers; do grep -F "$number" /var/log/mail.log; done | sort -u'
    )
    return "\n".join(f"{token} on the {role} host:\n{lab.shell(role, find)}" for role in ("old", "new"))
