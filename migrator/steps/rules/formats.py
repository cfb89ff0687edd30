"""The rule about mailboxes that a way home could not bring back: told before mail moves, and not after."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from migrator.mailstore import rsync
from migrator.mailstore.copying import prune_of
from migrator.mailstore.spared import Spared
from migrator.plan import Plan
from migrator.steps.common.sparing import spared_of
from migrator.steps.rules.finding import Both, Finding, some

FORMATS = "mailbox-formats"
"""The word of --force for a move after which mail of the new host would not all come home."""

_PATIENCE = 300  # seconds for one tree
_KINDS = {
    "mdbox": "mdbox of Dovecot",
    "sdbox": "sdbox of Dovecot",
    "mh": "MH",
    "cyrus": "Cyrus IMAP",
    "mbx": "mbx of UW IMAP",
}


def formats(both: Both) -> Iterator[Finding]:
    """Fail where a tree has mailboxes that are neither Maildir nor mbox: a rollback could not add mail to them."""
    plan = both.context.plan
    told = both.old.reader.inspect(formats_script(plan, spared_of(both.context))).stdout
    found: dict[str, list[str]] = {}
    for record in told.split("\0"):
        kind, _, path = record.partition(" ")
        if kind in _KINDS and path:
            found.setdefault(kind, []).append(path)
    for kind, paths in found.items():
        yield both.old.failed(
            FORMATS,
            f"mailboxes of {_KINDS[kind]}: {some(list(dict.fromkeys(paths)), most=3)}",
            "they are copied whole, but what the new host delivers to them could not be brought home by a rollback: "
            f"make them Maildir or mbox (`doveadm sync`, `packf`), exclude them, or give the way home up for them "
            f"with --force {FORMATS}",
        )
    if not found:
        yield both.old.passed(FORMATS, "mailboxes are Maildir and mbox, as far as can be seen")


def formats_script(plan: Plan, spared: Spared) -> str:
    """Return the inspecting script that prints the kind and the folder of some such mailboxes, with NUL behind each."""
    looks = (
        f"look {shlex.quote(tree.source.rstrip('/'))} "
        f"{shlex.quote(_prune(plan, index, spared.inside(index)))}\n"
        for index, tree in enumerate(plan.sync)
    )
    return f"LC_ALL=C; export LC_ALL\n{_LOOK}{''.join(looks)}true\n"


def _prune(plan: Plan, index: int, spared: Sequence[str]) -> str:
    tree, spool = plan.sync[index], plan.old.mail_spool
    words = prune_of(tree, spool, spared)
    # What the plan excludes may be beyond find; then only what every host keeps is left out.
    return words if words is not None else prune_of(rsync.unfiltered(tree), spool, spared) or ""


# dbox: Dovecot's manual, "dbox Mailbox Format"; MH: mh-mail(5), its messages are files whose names are numbers;
# Cyrus: its manual, "Mailbox directories". Of a Maildir nothing is read.
_LOOK = (
    f'limit() {{ if command -v timeout >/dev/null 2>&1; then timeout {_PATIENCE} "$@"; else "$@"; fi; }}\n'
    r"""
messages='for file; do
    case $(head -c 200 "$file" 2>/dev/null | tr "\000" "\003" | head -n 1) in
        [Rr]eceived:*|[Rr]eturn-*:*|From:*|To:*|Date:*|Subject:*|Message-I*:*|Delivered-To:*|Replied:*|X-*:*|MIME-*:*)
            printf "mh %s\000" "${file%/*}" ;;
    esac
done'
look() {
    cd "$1/" 2>/dev/null || return 0
    eval "limit find . $2"' \( -type d \( -name cur -o -name new -o -name tmp \) -prune \) -o -type f \( \
        -path "*/storage/m.[0-9]*" -printf "mdbox %h\0" -o -path "*/dbox-Mails/u.[0-9]*" -printf "sdbox %h\0" -o \
        -name .mh_sequences -printf "mh %h\0" -o -name cyrus.header -printf "cyrus %h\0" -o \
        -name "*.mbx" -printf "mbx %p\0" \)' 2>/dev/null | head -c 4000
    eval "limit find . $2"' \( -type d \( -name cur -o -name new -o -name tmp \) -prune \) -o -type f -size +79c \
        -name "[0-9]*" ! -name "*[!0-9]*" -print0' 2>/dev/null | head -c 4000 | xargs -0 -r sh -c "$messages" sh
    cd /
}
"""
)
