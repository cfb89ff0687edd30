"""A file in somebody's home folder, written with that user's rights alone.

Root must not write there: between two of its commands the user could put a link in the file's place, and root would
write, or give away, what the link leads to.
"""

from __future__ import annotations

import base64
import hashlib
import shlex

from migrator.hosts.facts import Account

CHANGED = 65
"""The exit status where the file is neither as it was read nor as it shall be (EX_DATAERR of sysexits.h)."""

_WRITE = """set -e
umask 022
cd -- {folder}
if [ -L {name} ]; then now='a link'
elif [ -f {name} ]; then now=$(sha256sum <{name} | cut -c 1-64)
elif [ -e {name} ]; then now='no file'
else now=absent
fi
case $now in
    {before}|{after}) ;;
    *) printf '%s was changed by somebody else since it was read\\n' {name} >&2; exit 65 ;;
esac
{deed}"""

_REPLACE = """temporary=$(mktemp {name}.XXXXXXXXXX)
printf %s {content} | base64 -d >"$temporary"
chmod {mode:04o} "$temporary"
chgrp {group} "$temporary" 2>/dev/null || :
mv -f -- "$temporary" {name}
if command -v restorecon >/dev/null 2>&1; then restorecon {name} 2>/dev/null || :; fi
"""


def write(
    account: Account, name: str, before: bytes | None, after: bytes | None, *, mode: int, group: int
) -> str:
    """Given a user, the name of a file in the home folder and its contents (None: no file), return the sh text.

    Root runs it; the file is replaced in one instant with the user's rights, its mode and group set, or removed.
    It ends with CHANGED before anything is written where the file is neither as `before` nor as `after`.
    """
    quoted = shlex.quote(name)
    if after is None:
        deed = f"rm -f -- {quoted}\n"
    else:
        content = shlex.quote(base64.b64encode(after).decode())
        deed = _REPLACE.format(name=quoted, content=content, mode=mode, group=group)
    script = _WRITE.format(
        folder=shlex.quote(account.home), name=quoted, before=_digest(before), after=_digest(after), deed=deed
    )
    return as_user(account, script)


def as_user(account: Account, script: str) -> str:
    """Given a user and an sh text, return the sh text by which root runs it with that user's rights."""
    words = shlex.quote(script)
    numbers = f"--reuid={account.uid} --regid={account.gid} --clear-groups"
    return (
        f"if command -v setpriv >/dev/null 2>&1; then setpriv {numbers} sh -c {words} </dev/null\n"
        f"else su -s /bin/sh {shlex.quote(account.name)} -c {words} </dev/null\nfi\n"
    )


def _digest(content: bytes | None) -> str:
    return "absent" if content is None else hashlib.sha256(content).hexdigest()
