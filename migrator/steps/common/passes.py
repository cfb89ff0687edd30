"""What the copying steps share: one pass over all trees, and the guard over what came in on the new host meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from migrator.change import Change, HostName, Rsync, Shell, Undo
from migrator.errors import CommandFailed, Refused, VerifyFailed
from migrator.mailstore import arrivals, forest, rsync
from migrator.mailstore.arrivals import AS_BEFORE
from migrator.steps.base import Context
from migrator.steps.common.port import prepared
from migrator.steps.common.sparing import spared_of

OVERWRITE = "overwrite-new"
"""The word of --force that lets a copy overwrite mail which came in on the new host by itself."""

REDELIVERY = (
    "rm -f ids; formail -D 8388608 ids -s cat <MAILBOX >/dev/null; "
    "formail -D 8388608 ids -s sendmail -oi USER <FILE"
)
"""Delivers the messages of FILE whose Message-ID stands in no message of MAILBOX (formail(1), -D)."""

MAX_DELETE = "max-delete"
"""The word of --force that lets a pass delete more of a tree than the plan's max_delete."""

PROOF = 3600.0
"""How long the proof of the copy may take, in seconds, where cutover.budget leaves it so much."""

Scope = Literal["whole", "changed"]

_WIDE = 3  # the attempt from which on everything is looked at
_SHOWN = 5


def one_pass(
    context: Context,
    key: str,
    summary: str,
    *,
    scope: Scope = "whole",
    delete: bool = False,
    trust: bool = False,
) -> Iterator[Change]:
    """Yield one rsync pass over every tree of the plan, remembered as `key` when all of it is done.

    With `trust` nothing is looked for on the new host before: a pass over what changed since both were equal sees by
    itself whether others changed it. Raises Refused where mail on the new host would be overwritten; what arrives
    while the pass runs, the next guard sees. A step that copies calls guard in its `ready` as well, for a pass that
    was interrupted.
    """
    looked = AS_BEFORE if trust else guard(context)
    if OVERWRITE in context.force:
        scope = "whole"  # what others wrote on the new host may have been noted as its state
    keep_younger = not delete and OVERWRITE not in context.force
    yield Change(
        f"note on the new host that {summary} begins",
        Shell("new", prepared(context, arrivals.begin_script(context.plan.name, looked))),
        # The marks and logs stay after a rollback: by them a second migration knows its copies from mail that came.
        Undo.NOT_NEEDED,
    )
    trees = tuple(range(len(context.plan.sync)))
    # What changed of several trees is little: it is copied at once. A whole tree is a change of its own, to go on from,
    # unless there are so many that they are looked at together.
    many = forest.together(dict(enumerate(context.plan.sync)), context.plan.old.mail_spool)
    alone = [(tree,) for tree in trees if tree not in many]
    for together in [trees] if scope == "changed" else [*([tuple(many)] if many else []), *alone]:
        yield Change(
            f"{summary}: {_named(context, together)}{', deletions included' if delete else ''}",
            Rsync(
                together,
                scope=scope,
                delete=delete,
                max_delete=1.0 if MAX_DELETE in context.force else context.plan.copying.max_delete,
                keep_younger=keep_younger,
            ),
            Undo.NOT_NEEDED,
        )
    yield Change(
        f"note on the new host that {summary} is whole",
        Shell("new", prepared(context, arrivals.end_script(context.plan.name))),
        Undo.NOT_NEEDED,
        {key: context.now().isoformat()},
    )


def _named(context: Context, trees: Sequence[int]) -> str:
    planned = [context.plan.sync[index] for index in trees]
    first = ", ".join(
        f"{tree.source} of the old host to {tree.target} of the new one" for tree in planned[:_SHOWN]
    )
    return f"{first} and {len(planned) - _SHOWN} more trees" if len(planned) > _SHOWN else first


def last_pass(context: Context, key: str, summary: str) -> Iterator[Change]:
    """Yield a pass that makes the trees equal, as wide as the attempts before have shown it to be needed."""
    if context.attempt > 1 or key not in context.memory:
        scope: Scope = "changed" if context.attempt < _WIDE else "whole"
        yield from one_pass(context, key, summary, scope=scope, delete=True, trust=context.attempt == 1)


def expect_equal(context: Context) -> None:
    """Compare every tree by contents. Raises VerifyFailed naming what differs."""
    trees = range(len(context.plan.sync))
    found = context.copies.differences(trees, longest=context.bounded(PROOF))
    for tree, differing in zip(context.plan.sync, found, strict=True):
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


def guard(context: Context, *, interrupted: bool = False) -> int | None:
    """Look for mail on the new host that no pass of this migration brought.

    Return when that was, in seconds of the new host's clock since 1970, None where it is given up by --force. With
    `interrupted` only a pass that did not end is looked after: that is for before its pending change is performed
    again. Raises Refused where there is such mail, CommandFailed where nobody can tell.
    """
    if OVERWRITE in context.force:
        return None
    seen = _look(context, interrupted=interrupted)
    if seen.paths:
        raise _own_mail(seen.paths)
    return seen.looked


def _look(context: Context, *, interrupted: bool) -> arrivals.Arrivals:
    found = context.new.inspect(
        arrivals.look_script(
            context.plan.name, _targets(context), interrupted=interrupted, together=_together(context)
        )
    )
    if found.status != 0:
        raise CommandFailed(
            "the new host's mailboxes could not be looked at",
            status=found.status,
            host="new",
            seen=found.stderr.strip(),
            advice="it takes find, awk and tr there; see what they say, and run the same command again",
        )
    return arrivals.parse(found.stdout)


def own_mail(context: Context) -> arrivals.Arrivals:
    """Return what came in on the new host and no pass of this migration brought. Raises CommandFailed."""
    return _look(context, interrupted=False)


def forget(context: Context, host: HostName = "new") -> Shell:
    """Return what removes the marks and the logs of the passes, once the migration is over."""
    return Shell(host, arrivals.forget_script(context.plan.name))


def _own_mail(paths: tuple[str, ...]) -> Refused:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return Refused(
        "the new host has mail of its own, which the copy would overwrite",
        host="new",
        expected="mailboxes that only this migration has filled",
        seen=", ".join(paths[:_SHOWN]) + more,
        advice="move these files aside, to a folder that is not copied, and go on. After the migration, move a "
        "Maildir file back into new/ of its Maildir; of an mbox deliver only what the mailbox lacks: "
        f"{REDELIVERY}. --force {OVERWRITE} gives these files up",
        lifted_by=OVERWRITE,
    )


def _together(context: Context) -> arrivals.Together | None:
    spool = context.plan.old.mail_spool
    many = forest.together(dict(enumerate(context.plan.sync)), spool, spared=spared_of(context).inside)
    if not many:
        return None
    listed = forest.listing({index: tree.target for index, tree in many.items()})
    return arrivals.Together(frozenset(many), listed, forest.prune(many, spool))


def _targets(context: Context) -> tuple[arrivals.Target, ...]:
    real = context.facts("new").paths.get("spool", "")
    spared = spared_of(context)
    spools = (context.plan.new.mail_spool.rstrip("/"), real, "/var/mail", "/var/spool/mail")
    return tuple(
        arrivals.Target(
            tree.target,
            spool=tree.target.rstrip("/") in spools,
            excluded=rsync.excluded(tree, context.plan.old.mail_spool, spared.inside(index)),
        )
        for index, tree in enumerate(context.plan.sync)
    )
