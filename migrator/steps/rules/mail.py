"""Rules about what moves: the domains, the accounts, the mailboxes and the room for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrator import host_text
from migrator.errors import CommandFailed, Refused
from migrator.sendmail import testmode
from migrator.sendmail.text_error import TextError
from migrator.steps.common.at_once import at_once
from migrator.steps.common.passes import OVERWRITE, guard
from migrator.steps.rules import tree_scripts
from migrator.steps.rules.finding import Both, Finding, Look, some

_LOCAL_CLASSES = ("w", "VirtHost")  # VirtHost: what VIRTUSER_DOMAIN names, taken through virtusertable alone
_KILO = 1024
_NEARLY = 0.9


def domains(both: Both) -> Iterator[Finding]:
    """Fail where the new host would not take mail for a domain as its own; warn where the old one does not.

    Asked of `sendmail -bt`, since local-host-names is not the only source of class w (cf/README).
    """
    wanted = both.context.plan.domains
    here, there = at_once(lambda: _local_domains(both.new), lambda: _local_domains(both.old))
    foreign = [name for name in wanted if name not in here]
    if foreign:
        advice = "put them into /etc/mail/local-host-names there, and restart Sendmail"
        yield both.new.failed("domains", f"not local on the new host: {some(foreign)}", advice)
    else:
        yield both.new.passed("domains", f"takes mail for {some(list(wanted))} as its own")
    elsewhere = [name for name in wanted if name not in there]
    if elsewhere and not both.context.memory:
        text = f"not local on the old host, so their mailboxes are somewhere else: {some(elsewhere)}"
        yield both.old.warned("domains", text, "see that migration.domains names what the old host delivers")


def accounts(both: Both) -> Iterator[Finding]:
    """Fail where an owner of mail has no account on the new host; warn where user numbers differ."""
    owners = sorted(_owners(both.old))
    missing = [name for name in owners if name not in both.new.facts.accounts]
    if missing:
        text = f"who has mail on the old host and no account here: {some(missing)}"
        yield both.new.failed("accounts", text, "create them, with the user numbers of the old host")
    else:
        yield both.new.passed("accounts", f"all {len(owners)} owners of mail have an account")
    old, new = both.old.facts.accounts, both.new.facts.accounts
    moved = [
        f"{name} ({old[name].uid} there, {new[name].uid} here)"
        for name in owners
        if name in new and old[name].uid != new[name].uid
    ]
    if moved:
        advice = "give the accounts here the numbers of the old host, or see that nothing relies on numbers"
        yield both.new.warned("user-numbers", f"user numbers differ: {some(moved)}", advice)


def mailboxes(both: Both) -> Iterator[Finding]:
    """Warn of files in the spool that are nobody's; fail where the new host has mail of its own already."""
    known = both.old.facts.accounts
    nobody = [name for name in both.old.facts.spool if _is_mailbox(name) and name not in known]
    if nobody:
        advice = "they are copied, and nobody will read them: move them away if they are of no use"
        yield both.old.warned("mailboxes", f"files in the spool without an account: {some(nobody)}", advice)
    try:
        guard(both.context)
    except Refused as refusal:
        text = f"{refusal.message}: {refusal.seen}"
        yield both.new.failed(OVERWRITE, text, refusal.advice or "")
        return
    if both.context.memory:
        return  # what stands on the new host now was brought by the run
    found = _read(both.new, tree_scripts.files(tree.target for tree in both.context.plan.sync))
    present = [name for name in found.split("\0") if name]
    if present:
        advice = "move them away: what the old host lacks is deleted by the last pass, and what it has is overwritten"
        yield both.new.warned("mailboxes", f"files stand here already: {some(present)}", advice)
    else:
        yield both.new.passed("mailboxes", "the trees to fill are empty")


def space(both: Both) -> Iterator[Finding]:
    """Fail where a file system of the new host has less room than the trees that come there."""
    trees = both.context.plan.sync
    sizes = tree_scripts.parse_sizes(_read(both.old, tree_scripts.sizes(trees)))
    rooms = tree_scripts.parse_rooms(_read(both.new, tree_scripts.rooms(trees)))
    if len(sizes) != len(trees) or len(rooms) != len(trees):
        yield both.new.warned("space", "it cannot be measured", "compare `du` on the old host with `df` here")
        return
    absent = [tree.source for tree, size in zip(trees, sizes, strict=True) if size is None]
    if absent:
        yield both.old.failed("trees", f"not there: {some(absent)}", "correct `from` in the plan's [[sync]]")
    needed: dict[str, int] = {}
    for size, room in zip(sizes, rooms, strict=True):
        needed[room.mount] = needed.get(room.mount, 0) + max((size or 0) - room.used, 0)
    for mount, kilobytes in needed.items():
        available = next(room.available for room in rooms if room.mount == mount)
        text = f"{mount} has {_amount(available)} left, and {_amount(kilobytes)} are to come"
        if kilobytes > available:
            yield both.new.failed("space", text, "make room, or put the tree on a larger file system")
        elif kilobytes > available * _NEARLY:
            yield both.new.warned("space", text, "mail that comes in meanwhile needs room as well")
        else:
            yield both.new.passed("space", text)


def _local_domains(look: Look) -> frozenset[str]:
    output = look.reader.read("sendmail", "-bt", stdin=testmode.questions(_LOCAL_CLASSES))
    try:
        classes = testmode.answers(output.stdout, _LOCAL_CLASSES).classes
    except TextError as error:
        raise CommandFailed(
            "Sendmail cannot be asked which domains are its own",
            status=output.status,
            host=look.host,
            expected="`sendmail -bt` answers `$=w`",
            seen=(output.stderr or output.stdout).strip()[-300:] or str(error),
            advice="see what `echo '$=w' | sendmail -bt` says there",
        ) from None
    return frozenset().union(*classes.values())


def _owners(look: Look) -> set[str]:
    names: dict[int, str] = {}
    for name, account in look.facts.accounts.items():
        names.setdefault(account.uid, name)
    numbers = host_text.words(
        _read(look, tree_scripts.owners(tree.source for tree in look.context.plan.sync))
    )
    owners = {names[int(number)] for number in numbers if number.isdecimal() and int(number) in names}
    return owners | {name for name in look.facts.spool if name in look.facts.accounts}


def _is_mailbox(name: str) -> bool:
    return not name.startswith(".") and not re.search(r"\.lock$|\.cache$|^BOGUS\.", name)


def _read(look: Look, script: str) -> str:
    return look.reader.inspect(script).stdout


def _amount(kilobytes: int) -> str:
    amount = float(kilobytes)
    for unit in ("kB", "MB", "GB"):
        if amount < _KILO:
            return f"{amount:.0f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} TB"
