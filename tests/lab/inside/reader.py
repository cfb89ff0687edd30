"""Runs inside the old host: people at work in their Maildirs, until a file tells them to stop.

Arguments: actions a second, the file that stops it, the file that takes one line for each deleted message
(its token and its mailbox).
"""

from __future__ import annotations

import random
import re
import sys
import time
from pathlib import Path

HOMES = Path("/var/www/web1/user")
TOKEN = re.compile(rb"^X-Lab-Token: (\S+)\s*$", re.MULTILINE)


def read(message: Path, chance: random.Random) -> Path:
    """Move a new message to cur, or give a known one another flag; return where it is now."""
    name, _, flags = message.name.partition(":2,")
    flags = "".join(sorted(set(flags) | {chance.choice("FRS")}))
    return message.rename(message.parent.parent / "cur" / f"{name}:2,{flags}")


def file_away(message: Path, top: Path) -> Path:
    """Move a message to another folder of the same Maildir; return where it is now."""
    return message.rename(top / ".Old Mail" / "cur" / message.name)


def delete(message: Path, mailbox: str, log: Path) -> None:
    """Delete a message for good, and note it."""
    found = TOKEN.search(message.read_bytes())
    message.unlink()
    if found:
        with log.open("a") as lines:
            lines.write(f"{found[1].decode()} {mailbox}\n")


def act(chance: random.Random, log: Path) -> None:
    """Do what a person does: mostly read, sometimes file away or delete."""
    top = chance.choice(sorted(HOMES.glob("*/Maildir")))
    messages = sorted(top.glob("new/*")) + sorted(top.glob("cur/*"))
    if not messages:
        return
    message = chance.choice(messages)
    what = chance.random()
    if what < 0.6:
        read(message, chance)
    elif what < 0.75:
        file_away(message, top)
    else:
        delete(message, top.parent.name, log)


def main(rate: float, stop: Path, log: Path) -> None:
    """Act until the stop file is there, then leave `.ended` beside it."""
    chance = random.Random(7)
    log.touch()
    while not stop.exists():
        act(chance, log)
        time.sleep(1 / rate)
    stop.with_suffix(".ended").touch()


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
