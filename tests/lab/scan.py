"""Where the lab's messages stand on a host, and waiting until its queues are empty."""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.lab import Lab

SCRIPT = Path(__file__).with_name("inside") / "scan.py"
QUEUE_RUN_EVERY = 10
"""At which of the looks at the queues they are run as well."""

Key = tuple[str, str]
"""A message's token and the mailbox in which it stands or must stand."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a message in a mailbox; `whole` tells that its last line is there."""

    path: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """All that one host holds: copies in mailboxes, tokens in its queues, folders that ought not to be there."""

    kept: dict[Key, list[Copy]]
    queued: dict[str, str]
    left: list[str]


def scan(lab: Lab, role: str) -> Scan:
    """Return what stands on one of the two mail hosts at this moment."""
    found = json.loads(lab.python(role, SCRIPT))
    kept: dict[Key, list[Copy]] = defaultdict(list)
    for token, mailbox, path, whole in found["kept"]:
        kept[token, mailbox].append(Copy(path, whole))
    return Scan(dict(kept), dict(found["queued"]), list(found["left"]))


def seeded(lab: Lab) -> frozenset[Key]:
    """Return the messages that stand on the old host now; asked before anything happens."""
    return frozenset(scan(lab, "old").kept)


def settle(lab: Lab, seconds: float = 60.0, *, roles: Sequence[str] = ("old", "new")) -> bool:
    """Wait until the hosts' queues are empty; return whether they are, after at most the seconds.

    What was put off is tried at once, which Sendmail itself would do after ten minutes.
    """
    began = time.monotonic()
    look = "find /var/spool/mqueue /var/spool/mqueue-client -type f -name '[qQ]f*' | grep -c . || true"
    for turn in itertools.count(1):
        busy = [role for role in roles if int(lab.shell(role, look))]
        if not busy or time.monotonic() > began + seconds:
            return not busy
        for role in busy if turn % QUEUE_RUN_EVERY == 0 else ():
            # What holds the output open is waited for.
            lab.shell(role, "sendmail -OMinQueueAge=0 -q </dev/null >/dev/null 2>&1 &")
        time.sleep(0.5)
    return False
