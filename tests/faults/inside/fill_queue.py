"""Fills the queue of a mail host with control files and bodies as Sendmail writes them, for destinations that are dead.

Runs inside the container, given how many, and the address that no route leads to.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

QUEUE = Path("/var/spool/mqueue")
LINKS = 10_000
CONTROL = """\
V8
T{time}
K{time}
N1
P30{number}
I0/0/0
MDeferred: Network is unreachable
Fbs
$_senders.outside.test [198.51.100.1]
$rESMTP
$ssenders.outside.test
${{daemon_flags}}
${{if_addr}}198.51.100.10
S<sender@outside.test>
rRFC822; someone{number}@[{dead}]
RPFD:<someone{number}@[{dead}]>
H?P?Return-Path: <g>
H??Received: from senders.outside.test
\tby mail.example.test (8.17.1.9) with ESMTP id {name}
\tfor <someone{number}@[{dead}]>; Mon, 23 Nov 2026 12:00:00 GMT
H??From: Sender <sender@outside.test>
H??Subject: number {number}
H??Message-ID: <dead-{number}@outside.test>
.
"""


def main(count: int, dead: str) -> None:
    """Write so many messages for a dead address, tried for the first time just now."""
    now = int(time.time())
    group = QUEUE.stat().st_gid
    body = QUEUE / "body"
    for number in range(count):
        name = f"6AND{number:06d}0{number % 90000 + 10000}"
        if number % LINKS == 0:
            body.unlink(missing_ok=True)
            own(body, "the body of many\n", group)
        # One body for many: the disk of a test is small, and a body is only read when its message leaves.
        (QUEUE / f"df{name}").hardlink_to(body)
        own(QUEUE / f"qf{name}", CONTROL.format(time=now, number=number, dead=dead, name=name), group)
    body.unlink(missing_ok=True)


def own(path: Path, text: str, group: int) -> None:
    """Write a file as Sendmail leaves it."""
    path.write_text(text)
    path.chmod(0o640)
    os.chown(path, 0, group)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
