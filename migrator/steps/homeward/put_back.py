"""The new host gets its own configuration back, once nobody looks for the old one behind its address any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from migrator.change import Change, Note, Shell, Undo
from migrator.errors import Refused, VerifyFailed
from migrator.hosts.script import PRELUDE
from migrator.net import timer
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import ask, port, waiting
from migrator.steps.common.draining import HELD_MAIL
from migrator.steps.common.opening import CACHED, opened
from migrator.steps.homeward.bring_home import known_script
from migrator.steps.homeward.emptied import emptied
from migrator.steps.homeward.names_home import SINCE
from migrator.steps.homeward.relay_home import BACK, SPARED_BACK

SOON = timedelta(seconds=60)
"""How long a rollback waits for caches itself; for longer than that, a timer on the new host does."""

LONGEST = 900
"""Seconds that putting the files back may take."""

_EVERY, _TIMES = 300, 288
"""How often, in seconds, and how many times the timer looks whether the queue is empty: a day long."""

_DONE = "put-back.done"
_HELD = "put-back.held"


class PutBack(Step):
    """Take the new host's relay away when caches have forgotten its address: at once, or by a timer on that host."""

    name = "put-back"
    phase = Phase.HOME
    after = "names-home"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield what takes the exemption on the old host back, and the relay on the new one: now or by its timer."""
        if not opened(context):
            return
        if SPARED_BACK in context.memory and f"{_DONE}.old" not in context.memory:
            yield Change(
                "put the old host's own limits back",
                Shell("old", context.memory[SPARED_BACK], timeout=LONGEST),
                Undo.NOT_NEEDED,
                {f"{_DONE}.old": "yes"},
            )
        if f"{_DONE}.new" in context.memory:
            return
        if _HELD not in context.memory:
            yield from _held(context)
        yield Change("note on the new host that all its mail is home", known_script(context), Undo.NOT_NEEDED)
        until = _until(context)
        if (left := until - context.now()) <= SOON:
            context.sleep(max(left.total_seconds(), 0.0))
            yield Change(
                "put the new host's own configuration back",
                Shell("new", _put_back(context), timeout=LONGEST),
                Undo.NOT_NEEDED,
                {f"{_DONE}.new": "yes"},
            )
        else:
            yield Change(
                f"let the new host relay what caches still bring, and put its own configuration back at "
                f"{until.astimezone():%Y-%m-%d %H:%M}, by a timer there",
                Shell("new", port.prepared(context, _later(context, left))),
                Undo.NOT_NEEDED,
                {f"{_DONE}.new": until.isoformat()},
            )

    def verify(self, context: Context) -> None:
        """See that the old host takes mail, and delivers it itself. Raises VerifyFailed."""
        if not opened(context):
            return
        foreign = set(context.plan.domains) - set(ask.class_members(context.old, "w"))
        virtual = set(ask.class_members(context.old, "VirtHost")) if foreign else set()
        if foreign - virtual:
            raise VerifyFailed(
                f"the old host does not take {', '.join(sorted(foreign - virtual))} for itself again",
                host="old",
                expected="class w (`echo '$=w' | sendmail -bt`) with the domains of the plan",
                seen="it lacks them",
                advice="see local-host-names there",
            )
        port.expect_greeting(context, "old")


def _until(context: Context) -> datetime:
    """Return when caches have forgotten the new host's address; now, where the DNS never named it."""
    if SINCE not in context.memory:
        return context.now()
    since = datetime.fromisoformat(context.memory[SINCE])
    return since + timedelta(seconds=int(context.memory.get(CACHED, "0")))


def _put_back(context: Context) -> str:
    """Return the script that takes the relay away; the switch goes before the way, as in every relay's undo.

    It fails where the queue holds mail for the domains, which would be delivered on the new host then.
    """
    keys = sorted((key for key in context.memory if key.startswith(BACK)), reverse=True)
    scripts = "".join(f"(\n{context.memory[key]}\n) || exit 1\n" for key in keys)
    # A message that comes just then is in the queue until it was handed on.
    return f"{emptied(context, every=2, times=15, otherwise='exit 1', held=_counted(context))}{scripts}"


def _counted(context: Context) -> bool:
    """Return whether quarantined and lost messages keep the relay: not where the operator took them on himself."""
    return HELD_MAIL not in context.force and _HELD not in context.memory


def _held(context: Context) -> Iterator[Change]:
    """Raise Refused where no run of the new host's queue brings a message home; with the word of --force, note it.

    While the relay stands, a release sends such a message home; once it is gone, it would end in a mailbox of the
    new host, where nobody looks for it any more.
    """
    held = tuple(message for message in waiting.for_domains(context, "new") if message.kind != "queued")
    if not held:
        return
    text = f"{len(held)} messages for the domains are quarantined or lost in the new host's queue"
    if _counted(context):
        raise Refused(
            f"{text}, and its relay is the only way home for them",
            host="new",
            expected="no message there that would be delivered on the new host, whoever releases it",
            seen=waiting.recipients_of(held),
            advice="the old host serves the domains again, and only the new one's relay waits for this: see that the "
            "old host would take them (`migrate rollback` quarantined what it refuses), release them on the new one "
            "(`sendmail -Q -qQ -qI` and the number; a Qf file is one that Sendmail gave up: see its log, and call it "
            "qf), or delete them, and run this again",
            lifted_by=HELD_MAIL,
        )
    yield Change(
        f"by hand: {text}, and stay there: {waiting.recipients_of(held)}; hand them to the old host from their files "
        "(a df and an hf or Qf file each), for once released they are delivered on the new host",
        Note(),
        Undo.NOT_NEEDED,
        {_HELD: " ".join(message.id for message in held)},
    )


def _later(context: Context, left: timedelta) -> str:
    counted = _counted(context)
    patient = f"{PRELUDE}{emptied(context, every=_EVERY, times=_TIMES, otherwise='exit 0', held=counted)}"
    marker = f"{port.state_folder(context)}/put-back"
    seconds = max(1, int(left.total_seconds()))
    setting = timer.timer_script(seconds, patient + _put_back(context), marker)
    return f"( {timer.forget_script(marker)} )\n( {setting} )\n"
