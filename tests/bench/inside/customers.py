"""Fills the folders of many customers with a Maildir each, and changes them. Runs inside the container.

Arguments: `fill CUSTOMERS MESSAGES`, or `change CUSTOMERS CHANGES SEED`.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

ROOT = Path("/srv/customers")
TEXT = b"From: a@b.test\nSubject: mail\n\n" + b"a line of mail\n" * 100
FIRST_TIME = 1_700_000_000
AGE = 1_700_000_000


def box(customer: int) -> Path:
    """Return a customer's Maildir."""
    return ROOT / f"c{customer}/mail/Maildir"


def fill(customers: int, messages: int) -> None:
    """Write a Maildir and an mbox for each."""
    for customer in range(customers):
        home = box(customer)
        for name in ("cur", "new", "tmp"):
            (home / name).mkdir(parents=True)
        for number in range(messages):
            path = home / f"cur/{FIRST_TIME + number}.M{number}P{customer}.mail:2,S"
            path.write_bytes(TEXT)
            os.utime(path, (AGE, AGE))
        (home.parent / "mbox").write_bytes(b"From a@b.test  Tue Nov 14 22:13:20 2023\n" + TEXT + b"\n")


def change(customers: int, changes: int, seed: int) -> None:
    """Let messages come, be read and go, and mboxes grow, each at a customer of its own."""
    chance = random.Random(seed)
    for number, customer in enumerate(chance.sample(range(customers), min(changes, customers))):
        home = box(customer)
        known = sorted((home / "cur").iterdir())
        if number % 4 == 0 or not known:
            (home / f"new/{FIRST_TIME}.M{seed}_{number}P{customer}.mail").write_bytes(TEXT)
        elif number % 4 == 1:
            known[0].rename(known[0].with_name(f"{known[0].name}F"))
        elif number % 4 == 2:
            known[0].unlink()
        else:
            with (home.parent / "mbox").open("ab") as stream:
                stream.write(b"From a@b.test  Tue Nov 14 22:13:20 2023\n" + TEXT + b"\n")


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    if what == "fill":
        fill(*map(int, numbers))
    else:
        change(*map(int, numbers))
