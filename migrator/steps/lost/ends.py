"""The ends of mailboxes that a pass copied while the old host delivered to them, and that no later pass completed."""

from __future__ import annotations

import shlex

from migrator.change import Change, Shell, Undo
from migrator.mailstore.messages import is_mbox
from migrator.steps.base import Context

# RFC 4155: a message begins at a line "From " after an empty one. Behind half a message the next would be part of it.
# -execdir follows no link that a user puts in the place of a folder; what is written to is held against its name. The
# lock is made by dd: a shell's noclobber opens what a link leads to, and waits for ever where that is a pipe.
_FIND = "find . -type f ! -name '*.lock' -size +4c ! -path '*/cur/*' ! -path '*/new/*' -execdir sh -c"
_END = r"""is_mbox() { @IS_MBOX@; }
whole() { [ "$(tail -c 2 -- "$1" | od -An -tx1 | tr -d " \n")" = 0a0a ]; }
for path; do
    if ! is_mbox "$path" || whole "$path"; then continue; fi
    tries=30
    until dd if=/dev/null of="$path.lock" conv=excl 2>/dev/null; do
        if [ -n "$(find "$path.lock" -maxdepth 0 -type f -mmin +5 2>/dev/null)" ]; then rm -f -- "$path.lock"; fi
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then echo "$path is locked by another program" >&2; exit 1; fi
        sleep 1
    done
    if exec 8>>"$path" && [ "$(stat -Lc "%d %i" /proc/self/fd/8)" = "$(stat -c "%d %i" -- "$path")" ] &&
        [ "$(stat -c %h -- "$path")" = 1 ] && ! whole "$path"; then printf "\n\n" >&8; fi
    exec 8>&-
    rm -f -- "$path.lock"
done
""".replace("@IS_MBOX@", is_mbox("$1"))


def ends_script(folder: str) -> str:
    """Given a folder on a host, return a script that ends each mbox in it with an empty line, under its lock.

    Where it is repeated it changes nothing. It fails where a mailbox stays locked for half a minute.
    """
    return f"(cd {shlex.quote(folder)} 2>/dev/null || exit 0\n{_FIND} {shlex.quote(_END)} sh {{}} +\n) || exit 1\n"


def ended(context: Context) -> Change:
    """Return the change after which no mailbox of the new host ends within a message."""
    targets = dict.fromkeys(tree.target for tree in context.plan.sync)
    script = "".join(map(ends_script, targets))
    summary = "end each mailbox of the new host with an empty line: its last message may have come in part"
    return Change(summary, Shell("new", script), Undo.NOT_NEEDED)
