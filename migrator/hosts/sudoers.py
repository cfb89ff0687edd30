"""What sudo has to allow on a host where the plan says `sudo = true`, and what it says where it does not."""

from __future__ import annotations

import re

from migrator import host_text

COMMANDS = ("/bin/sh -s", "/bin/sh -c *")
"""All that is run by `sudo -n` on a host: scripts from standard input, and rsync's reading side."""

_LAST_WORDS = 4000  # characters

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_ALIAS = re.compile(r"[A-Z][A-Z0-9_]*")


def fragment(user: str, *, migration: str, place: str) -> str:
    """Return a file for /etc/sudoers.d, given who logs in, the migration's name, and the host as a person knows it.

    Raises ValueError for a user that sudoers(5) would not take as a plain name.
    """
    if not _USER.fullmatch(user) or _ALIAS.fullmatch(user):
        raise ValueError(f"{user!a} is no plain name of a user for sudoers")
    return f"""# For {place}: /etc/sudoers.d/migrate-{migration}, mode 0440, tested with `visudo -cf FILE`.
# Whoever may use this rule is root there: sh takes any script. The program needs no less, for it edits Sendmail's
# files, restarts it and reads every mailbox, each in one script. Take the file away when the migration is over.
Defaults:{user} !requiretty
{user} ALL=(root) NOPASSWD: {", ".join(COMMANDS)}
"""


def refusal(status: int, stderr: str) -> str:
    """Given how a command under sudo ended, return what sudo said where it was sudo that refused, else "".

    Its words are another in each language and in each implementation, so what is no words counts: its name before the
    line (sudo, sudo-rs), the command that it was asked for, the file that allows, and the status with which a shell
    of any kind tells that there is no sudo (127), or none that it may start (126).
    """
    lines = [host_text.stripped(line) for line in stderr[-_LAST_WORDS:].split("\n")]
    refuses = _refuses if status == 1 else _lacks if status in (126, 127) else None
    return next((line for line in reversed(lines) if refuses and refuses(line)), "")


_SIGNS = re.compile(
    r"(?:\S*/)?sudo(?:-rs)?: "  # sudo(8) and sudo-rs; csh says "sudo: Command not found." with status 1
    r"|Sorry, user "
    r"|.*\bsudoers\b"
    # Each language has the command of its own rule in it: `user is not allowed to execute '/bin/sh -s' as root`.
    r"|.*/sh -[sc](?![\w-])",
    re.ASCII,
)
_NAMED = re.compile(r"(?:^|.*[^\w.-])sudo(?![\w.-])", re.ASCII)


def _refuses(line: str) -> bool:
    return bool(_SIGNS.match(line))


def _lacks(line: str) -> bool:
    return bool(_NAMED.match(line)) or _refuses(line)
