"""Changes a store as its users and its mail do between two passes. Runs inside the container."""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from pathlib import Path

HOMES = Path("/var/www/web1/user")
SPOOL = Path("/var/mail")
LOOKED_AT = 40
MIX = {"create": 40, "read": 15, "flag": 15, "delete": 15, "append": 15}
"""Of a hundred changes: new messages, new/ to cur/, one more flag, deleted ones, mboxes that grew."""


def some(folder: Path, chance: random.Random) -> Path | None:
    """Return one of the first messages of a folder."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, LOOKED_AT)]
    return folder / chance.choice(names) if names else None


def create(home: Path, number: int) -> None:
    """Deliver a message."""
    owner = home.stat()
    path = home / "Maildir/new" / f"{time.time():.0f}.M{number}P{os.getpid()}.mail"
    path.write_bytes(os.urandom(3_000))
    os.chown(path, owner.st_uid, owner.st_gid)


def change(what: str, home: Path, number: int, chance: random.Random) -> bool:
    """Make one change for a user; return whether there was something to change."""
    if what == "create":
        create(home, number)
        return True
    if what == "append":
        with (SPOOL / home.name).open("ab") as mbox:
            mbox.write(
                b"From a@b.test  Tue Nov 14 22:13:20 2023\n" + os.urandom(3_000).hex().encode() + b"\n\n"
            )
        return True
    message = some(home / "Maildir" / ("new" if what == "read" else "cur"), chance)
    if message is None:
        return False
    if what == "delete":
        message.unlink()
    elif what == "read":
        message.rename(home / "Maildir/cur" / f"{message.name}:2,S")
    else:
        message.rename(message.with_name(message.name + "T"))
    return True


def main(count: int, seed: str) -> None:
    """Make so many changes."""
    chance = random.Random(seed)
    homes = sorted(HOMES.glob("u[0-9]*"))
    kinds = chance.choices(list(MIX), weights=list(MIX.values()), k=count)
    for number, what in enumerate(kinds):
        while not change(what, chance.choice(homes), number, chance):
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
