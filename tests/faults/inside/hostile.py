"""Makes accounts, mailboxes, files and links with names that a careless program trips over, and lists them.

Runs inside a host. `accounts` is for both hosts, `files` for the old one; `list` writes what stands there, exactly.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import sys
from pathlib import Path

NAMES = (
    b"it's", b'a "quoted" one', b"two  words ", b"-rf", b"--delete", b"$(touch was-run)", b"`touch was-run`",
    b"a;touch was-run", b"a\nnewline", b"tab\there", b"back\\slash", b"*", b"#a", b"!a", b"~root", b"%s",
    b"Gr\xc3\xbc\xc3\x9fe", b"latin \xe9\xff", b"\\#101", b"a|b>c",
)  # fmt: skip
LINKS = {
    "absolute": "/etc/shadow", "upward": "../../../../../../etc/shadow", "dangling": "/nowhere/at/all",
    "loop": "loop", "folder": "/root", "newline": "a\nb",
}  # fmt: skip
USERS = {"o'brien": 2201, "we ird": 2202, "-dash": 2203, "$(touch was-run)": 2204, "jürgen": 2205}
HOME = Path("/var/www/web1/user/user11")
PLACES = (HOME / "Maildir/.Odd ' Folder", HOME / "notes")
SPOOL = Path("/var/mail")


def accounts() -> None:
    """Add the odd users, and a file outside the trees that a link points at."""
    with Path("/etc/passwd").open("a") as passwd:
        passwd.writelines(
            f"{name}:x:{uid}:8::/nonexistent:/usr/sbin/nologin\n" for name, uid in USERS.items()
        )
    Path("/root/outside").write_text("nobody's business\n")


def files() -> None:
    """Write the odd mailboxes, files and links."""
    owner = pwd.getpwnam("user11")
    for number, (name, uid) in enumerate(USERS.items()):
        token = f"odd-{number}"
        text = f"From a@b Mon Nov 23 12:00:00 2026\nX-Lab-Token: {token}\n\nend of {token}\n\n"
        (SPOOL / name).write_text(text)
        os.chown(SPOOL / name, uid, 8)
    for place in PLACES:
        for part in ("new", "cur", "tmp", "."):
            (place / part).mkdir(parents=True, exist_ok=True)
            for number, odd in enumerate(NAMES):
                (place / part / os.fsdecode(odd)).write_text(f"{number} in {part}\n")
        for name, target in LINKS.items():
            (place / name).symlink_to(target)
        (place / "hard").hardlink_to(place / "new" / os.fsdecode(NAMES[0]))
        for folder, folders, names in os.walk(place):
            for each in (folder, *(os.path.join(folder, name) for name in (*folders, *names))):  # noqa: PTH118
                os.chown(each, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def listing() -> list[list[str]]:
    """Return name, kind and mode, owner, and content or target of each of them."""
    found = []
    paths = [SPOOL / name for name in USERS]
    for place in PLACES:
        paths += sorted(place.rglob("*"))
    for path in paths:
        facts = path.lstat()
        if path.is_symlink():
            content = str(path.readlink())
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found.append([str(path), f"{facts.st_mode:o}", f"{facts.st_uid}:{facts.st_gid}", content])
    return found


if __name__ == "__main__":
    if sys.argv[1] == "list":
        json.dump(listing(), sys.stdout)
    else:
        {"accounts": accounts, "files": files}[sys.argv[1]]()
