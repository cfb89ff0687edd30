"""Fills a host with Maildirs and mboxes as large sites have them. Runs inside the container.

The sizes of messages are log-normal, as models of mail workloads have the body of their distribution (Bertolotti and
Calzarossa, Models of mail server workloads, Performance Evaluation 46, 2001), with a median of 10 kB and a mean of
31 kB, divided by SHRINK so that a million of them fit on the machine. How many a user has is log-normal as well.
"""

from __future__ import annotations

import base64
import os
import random
import sys
from pathlib import Path

HOMES = Path("/var/www/web1/user")
SPOOL = Path("/var/mail")
MEDIAN, SIGMA, SHRINK = 10_000, 1.5, 8
LARGEST = 2_000_000  # bytes, after shrinking
MBOX_MESSAGES = 30  # the median
FIRST_UID = 20_000
FIRST_TIME = 1_700_000_000
FOLDER_SIZE = 250  # messages; who has more has more folders
TEXT = base64.encodebytes(random.Random(1).randbytes(4_000_000))
WORKERS = 2


def size(chance: random.Random) -> int:
    """Return the bytes of one message."""
    return min(LARGEST, 200 + int(chance.lognormvariate(0, SIGMA) * MEDIAN / SHRINK))


def text(chance: random.Random, length: int) -> memoryview:
    """Return so many bytes that no two messages share."""
    start = chance.randrange(len(TEXT) - LARGEST)
    return memoryview(TEXT)[start : start + length]


def write(path: str, content: memoryview | bytes, uid: int, time: int) -> None:
    """Write one file with its owner and its time."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(handle, content)
    os.fchown(handle, uid, uid)
    os.utime(handle, (time, time))
    os.close(handle)


def folders(home: Path, count: int, uid: int) -> list[Path]:
    """Make a user's Maildir folders for so many messages, and return them, the inbox first."""
    made = []
    for number in range(1 + min(60, count // FOLDER_SIZE)):
        folder = home / "Maildir" / (f".Folder{number}" if number else "")
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
            os.chown(folder / part, uid, uid)
        os.chown(folder, uid, uid)
        made.append(folder)
    return made


def fill_maildir(user: int, count: int, chance: random.Random) -> None:
    """Write a user's messages; one in twenty of the inbox is new."""
    home, uid = HOMES / f"u{user:05d}", FIRST_UID + user
    places = folders(home, count, uid)
    for number in range(count):
        place = places[number % len(places)]
        time = FIRST_TIME + number * 60
        new = place is places[0] and number % 20 == 0
        name = f"new/{time}.M{number}P1.mail" if new else f"cur/{time}.M{number}P1.mail:2,S"
        write(f"{place}/{name}", text(chance, size(chance)), uid, time)
    for path in (home, home / "Maildir"):
        os.chown(path, uid, uid)


def fill_mbox(user: int, chance: random.Random) -> None:
    """Write a user's mbox."""
    messages = 1 + int(chance.lognormvariate(0, 1) * MBOX_MESSAGES)
    mbox = bytearray()
    for number in range(messages):
        mbox += f"From a@b.test  Tue Nov 14 22:13:{number % 60:02d} 2023\n".encode()
        mbox += text(chance, size(chance))
        mbox += b"\n"
    write(str(SPOOL / f"u{user:05d}"), bytes(mbox), FIRST_UID + user, FIRST_TIME + user)


def counts(files: int, users: int) -> list[int]:
    """Return how many messages each user has."""
    chance = random.Random("users")
    weights = [chance.lognormvariate(0, SIGMA) for _ in range(users)]
    found = [int(files * weight / sum(weights)) for weight in weights]
    found[0] += files - sum(found)
    return found


def fill(files: int, users: int, worker: int) -> None:
    """Write the share of one worker: every user has a Maildir and an mbox."""
    for user, count in enumerate(counts(files, users)):
        if user % WORKERS == worker:
            chance = random.Random(user)
            fill_maildir(user, count, chance)
            fill_mbox(user, chance)


def main(files: int, users: int) -> None:
    """Let the workers write, and fail where one of them did."""
    workers = []
    for worker in range(WORKERS):
        process = os.fork()
        if not process:
            fill(files, users, worker)
            os._exit(0)
        workers.append(process)
    if any(os.waitpid(process, 0)[1] for process in workers):
        sys.exit("a worker failed")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
