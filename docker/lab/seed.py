"""Fills the old host with mail from before the migration: mboxes, Maildirs, and what must stay behind.

Runs inside the container, once, before Sendmail starts. Every message carries its own `X-Lab-Token`.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path

USERS = [f"user{number:02d}" for number in range(1, 21)]
MBOX_USERS = [*USERS[:10], "root"]
MAILDIR_USERS = USERS[10:]
SPOOL = Path("/var/mail")
HOMES = Path("/var/www/web1/user")
WEB_MAIL = Path("/var/www/web1/mail")
FIRST_TIME = 1_700_000_000
FOLDERS = ("", ".Sent", ".Old Mail", ".Entw&APw-rfe")


def message(token: str, number: int, status: str = "") -> bytes:
    """Return one message with its token; some lines look like an mbox separator, and some are 8-bit."""
    lines = [
        f"Message-ID: <{token}@outside.test>",
        "From: Someone <someone@outside.test>",
        f"To: {token.split('-')[1]}@example.test",
        f"Subject: seed {number}",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        f"X-Lab-Token: {token}",
    ]
    lines += [f"Status: {status}", f"X-UID: {number}"] if status else []
    text = [f"line {line} of {token}" for line in range(20 + 7 * (number % 9))]
    body = ["", ">From the start", "Gr\u00fc\u00dfe", *text, f"end of {token}"]
    return ("\n".join(lines + body) + "\n").encode()


def fill_mbox(user: str, count: int) -> None:
    """Write `count` messages to the user's mbox as a mail program leaves it, some of them read."""
    path = SPOOL / user
    with path.open("wb") as mbox:
        for number in range(1, count + 1):
            mbox.write(b"From someone@outside.test  Tue Nov 14 22:13:20 2023\n")
            mbox.write(message(f"seed-{user}-{number}", number, "RO" if number % 2 else "O") + b"\n")
    own(path, user, 0o600)


def maildir_names(folder: str, count: int) -> Iterator[tuple[int, str]]:
    """Yield the number and the relative name of each message of one Maildir folder; a third is new."""
    for number in range(1, count + 1):
        name = f"{FIRST_TIME + number}.M{number}P77{len(folder)}.mail"
        yield number, f"new/{name}" if number % 3 == 0 else f"cur/{name}:2,{'S' if number % 2 else ''}"


def fill_maildir(user: str, count: int) -> None:
    """Write the user's Maildir: the inbox, three folders with half as many, and what an IMAP server keeps."""
    top = HOMES / user / "Maildir"
    for index, folder in enumerate(FOLDERS):
        here = top / folder
        for part in ("cur", "new", "tmp"):
            (here / part).mkdir(parents=True, exist_ok=True)
        for number, name in maildir_names(folder, count if index == 0 else count // 2):
            (here / name).write_bytes(message(f"seed-{user}-{index}.{number}", number))
        (here / "dovecot-uidlist").write_text(f"3 V{FIRST_TIME} N{count + 1}\n")
    (top / "subscriptions").write_text("".join(f"{folder[1:]}\n" for folder in FOLDERS[1:]))
    own_tree(top, user)


def fill_left_behind(user: str) -> None:
    """Write the folders of a home that a migration of mail must leave where they are."""
    for name, content in (("bak/mail.tar", "old backup\n" * 50), ("web/index.html", "<p>home page</p>\n")):
        path = HOMES / user / name
        path.parent.mkdir()
        path.write_text(content)
        own_tree(path.parent, user)


def fill_web_mail() -> None:
    """Write the web mail program's own tree, a hidden file and a link among it."""
    for user in USERS:
        preferences = WEB_MAIL / "preferences" / f"{user}.pref"
        preferences.parent.mkdir(exist_ok=True)
        preferences.write_text(f"language=de\nuser={user}\n")
    (WEB_MAIL / ".htaccess").write_text("Require all denied\n")
    (WEB_MAIL / "current").symlink_to("preferences")
    own_tree(WEB_MAIL, "www-data")


def own(path: Path, user: str, mode: int | None = None) -> None:
    """Give the path to the user, and set its mode where one is given."""
    account = pwd.getpwnam(user)
    group = -1 if path.parent == SPOOL else account.pw_gid
    os.chown(path, account.pw_uid, group, follow_symlinks=False)
    if mode is not None:
        path.chmod(mode)


def own_tree(top: Path, user: str) -> None:
    """Give a whole tree to the user."""
    own(top, user)
    for path in top.rglob("*"):
        own(path, user)


def main(count: int) -> None:
    """Fill everything with `count` messages in each mbox and inbox."""
    for user in MBOX_USERS:
        fill_mbox(user, count)
    for user in MAILDIR_USERS:
        fill_maildir(user, count)
    for user in USERS:
        fill_left_behind(user)
    fill_web_mail()


if __name__ == "__main__":
    main(int(sys.argv[1]))
