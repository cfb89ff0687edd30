"""A lab at work: the stream, the readers and the probes together, and at the end the account of it all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.lab.account import Account, take
from tests.lab.lab import Lab
from tests.lab.probe import PortProbe
from tests.lab.readers import Readers
from tests.lab.scan import Key, scan, seeded, settle
from tests.lab.traffic import Traffic

QUEUE_SECONDS = 60.0


@dataclass
class Scene:
    """What goes on in a lab; `end` stops it and returns the account."""

    lab: Lab
    seeds: frozenset[Key]
    traffic: Traffic
    readers: Readers
    old_port: PortProbe
    new_port: PortProbe

    def end(self) -> Account:
        """Let the last message be accepted and the queues run dry, and return the account of the new host."""
        self.readers.stop()
        self.traffic.finish()
        self.old_port.stop()
        self.new_port.stop()
        settle(self.lab, QUEUE_SECONDS)
        return take(
            scan(self.lab, "new"),
            scan(self.lab, "old"),
            messages=self.traffic.messages,
            seeds=self.seeds,
            deleted=self.readers.deleted,
        )

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
def scene(lab: Lab, *, rate: float = 15.0, reading: float = 10.0) -> Iterator[Scene]:
    """Yield a lab with `rate` messages a second coming in, `reading` actions a second by readers, ports watched.

    The readers stop when the caller says so, which is when a real host would close its IMAP server: before the
    cutover. Everything stops at the latest at the end of the block.
    """
    seeds = seeded(lab)
    with (
        PortProbe(lab.place.old) as old_port,
        PortProbe(lab.place.new) as new_port,
        Readers(lab, rate=reading) as readers,
        Traffic(lab.place, rate=rate) as traffic,
    ):
        yield Scene(lab, seeds, traffic, readers, old_port, new_port)
