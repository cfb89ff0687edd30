"""What the copying steps share: one pass over all trees, and the guard over what came in on the new host meanwhile."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change, Rsync, Shell, Undo
from migrator.errors import CommandFailed, Refused, VerifyFailed
from migrator.steps.base import Context
from migrator.steps.common.port import prepared, state_folder

OVERWRITE = "overwrite-new"
"""The word of --force that lets a copy overwrite mail which came in on the new host by itself."""
_SHOWN = 5


def one_pass(
    context: Context, key: str, summary: str, *, delete: bool = False, checksum: bool = False
) -> Iterator[Change]:
    """Yield one rsync pass over every tree of the plan, remembered as `key` when all of it is done.

    Raises Refused where mail on the new host would be overwritten.
    """
    guard(context)
    yield Change(
        f"{summary}: begin",
        Shell("new", prepared(context, _begin(context))),
        Undo.NOT_NEEDED,
    )
    for index, tree in enumerate(context.plan.sync):
        how = ", deletions included" if delete else ""
        yield Change(
            f"{summary}: {tree.source} of the old host to {tree.target} of the new one{how}",
            Rsync(index, delete=delete, checksum=checksum),
            Undo.NOT_NEEDED,
        )
    yield Change(
        f"{summary}: end",
        Shell("new", prepared(context, _end(context))),
        Undo.NOT_NEEDED,
        {key: context.now().isoformat()},
    )


def expect_equal(context: Context) -> None:
    """Compare every tree by contents. Raises VerifyFailed naming what differs."""
    for index, tree in enumerate(context.plan.sync):
        differing = context.copies.differences(index, checksum=True, delete=True)
        if differing:
            more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
            raise VerifyFailed(
                f"{tree.target} is not yet equal to {tree.source} of the old host",
                host="new",
                expected="an rsync by checksum that finds nothing to do",
                seen=", ".join(differing[:_SHOWN]) + more,
                advice="something still changes mailboxes on the old host: stop IMAP and POP there "
                "(for instance `service dovecot stop`), then run this again",
            )


def guard(context: Context) -> None:
    """Raise Refused where mailboxes of the new host hold mail that no pass of this migration brought."""
    if OVERWRITE in context.force:
        return
    found = context.new.inspect(_arrivals(context))
    if found.status != 0:
        raise CommandFailed(
            "the new host's mailboxes could not be looked at",
            status=found.status,
            host="new",
            seen=found.stderr.strip(),
        )
    paths = [path for path in found.stdout.split("\0") if path]
    if paths:
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        raise Refused(
            "the new host has mail of its own, which the copy would overwrite",
            host="new",
            expected="mailboxes that only this migration has filled",
            seen=", ".join(paths[:_SHOWN]) + more,
            advice="move these files aside and deliver them again after the migration "
            f"(formail -s sendmail -oi USER < FILE); --force {OVERWRITE} gives them up",
            lifted_by=OVERWRITE,
        )


def _begin(context: Context) -> str:
    folder = state_folder(context)
    return f"touch {folder}/copying\nrm -f {folder}/copied\n"


def _end(context: Context) -> str:
    folder = state_folder(context)
    # rsync keeps the modification time of the old host, but nobody can set the change time (ctime): what is
    # younger than this mark was written on the new host itself.
    return f"touch {folder}/copied\nrm -f {folder}/copying\n"


def _arrivals(context: Context) -> str:
    """Return the script that prints, each ended by NUL, mail files the last pass did not leave so."""
    folder = state_folder(context)
    spools = [tree.target for tree in context.plan.sync if _is_spool(context, tree.target)]
    others = [tree.target for tree in context.plan.sync if not _is_spool(context, tree.target)]
    looks = [_find(spool, "-maxdepth 1 ! -name '.*' ! -name '*.lock'") for spool in spools]
    looks += [_find(other, "\\( -path '*/new/*' -o -path '*/cur/*' \\)") for other in others]
    return f"""newer=
if [ -e {folder}/copied ]; then newer='-newercm {folder}/copied'
elif [ -e {folder}/copying ]; then exit 0
fi
{"".join(looks)}exit 0
"""


def _is_spool(context: Context, target: str) -> bool:
    real = context.facts("new").paths.get("spool", "")
    return target.rstrip("/") in (
        context.plan.new.mail_spool.rstrip("/"),
        real,
        "/var/mail",
        "/var/spool/mail",
    )


def _find(tree: str, what: str) -> str:
    # A tree that is a symbolic link (Debian: /var/spool/mail) is looked into: hence the slash.
    place = shlex.quote(tree.rstrip("/") + "/")
    return f"[ ! -d {place} ] || find {place} {what} -type f -size +0 $newer -print0\n"
