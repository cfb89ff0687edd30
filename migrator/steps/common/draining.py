"""Processes that still hold an earlier configuration can deliver to a mailbox after it was copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator import host_text
from migrator.change import Change, HostName, Shell, Undo
from migrator.errors import Refused, VerifyFailed
from migrator.hosts import daemon
from migrator.sendmail.processes import Activity, Process
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context
from migrator.steps.common import daemons, waiting
from migrator.steps.common.at_once import at_once

PATIENCE = 30
"""Seconds in which sessions may end by themselves before idle ones are ended (RFC 5321 4.5.3.2 lets a client idle
for 5 minutes; one that is told 421 in between tries again)."""
LONGEST = 540
"""Seconds after which a delivery that does not end is reported; a script waits longer for another one (LOCK_WAIT)."""
HELD_MAIL = "held-mail"
"""The word of --force that leaves quarantined and lost messages for the host's own mailboxes to the administrator."""


def drained(context: Context, host: HostName, *, earlier: str | None) -> Iterator[Change]:
    """Yield a wait for a host's sessions and deliveries, then a run of the queue for its own mailboxes.

    `earlier` is what the sessions of the daemons before a relay are remembered as: only what is still in one is
    waited for; None waits for everything. A message that waits for a mailbox of the host itself, by an alias
    or one of its own names, would be delivered there after the copy: a run of the queue delivers it now. That forks
    (-qf does not), for such a message may have recipients elsewhere, and mail is held meanwhile: one in the foreground
    would wait minutes for a dead server. What is delivered just then, `expect_drained` waits for.
    """
    (left, runners), stuck = at_once(
        lambda: _left(context, host, earlier), lambda: waiting.for_own_mailboxes(context, host)
    )
    if runners:
        yield Change(
            f"restart {len(runners)} runners of the queue on the {host} host that began before the switch",
            Shell(
                host,
                daemon.renew_runners(tuple((one.pid, one.started) for one in runners)),
                timeout=LONGEST,
                shown=f"kill -HUP {' '.join(str(one.pid) for one in runners)}",
            ),
            Undo.NOT_NEEDED,
        )
        left, _ = _left(context, host, earlier)
    if left:
        script = daemons.end_script(left, patience=PATIENCE, longest=int(context.bounded(LONGEST)))
        yield Change(
            f"let {len(left)} sessions and deliveries end on the {host} host that began before the switch",
            Shell(host, script, timeout=LONGEST + 60, shown=f"wait for {daemons.words(left)}"),
            Undo.NOT_NEEDED,
        )
        stuck = waiting.for_own_mailboxes(context, host)
    if stuck:
        yield Change(
            f"deliver what waits for mailboxes of the {host} host itself",
            Shell(host, waiting.run_of(stuck), timeout=LONGEST),
            Undo.NOT_NEEDED,
        )


def expect_drained(context: Context, host: HostName, *, earlier: str | None) -> None:
    """Raise VerifyFailed where something on the host can still deliver to its own mailboxes."""
    # One after the other, for a delivery that ends between the looks may leave its message in the queue.
    left, runners = _left(context, host, earlier)
    if runners:
        raise VerifyFailed(
            f"a runner of the queue from before the switch still runs on the {host} host",
            host=host,
            expected="no runner of the queue that holds the earlier configuration",
            seen=daemons.words(runners),
            advice="end it (kill PID), start it again, and run this again",
        )
    if left:
        raise VerifyFailed(
            f"deliveries from before the switch still run on the {host} host",
            host=host,
            expected="no session and no delivery that holds the earlier configuration",
            seen=daemons.words(left),
            advice="see what they wait for, and end them (kill PID) where it is hopeless: their messages stay "
            "in the queue",
        )
    staying = waiting.staying(context, host)
    waited = 0  # counted, for a clock can jump
    # A run of the queue returns before what it delivers is delivered, and leaves alone what another one works on.
    while waiting.queued(staying) and waited < context.bounded(PATIENCE) and _delivers(context, host):
        context.sleep(1.0)
        waited += 1
        staying = waiting.staying(context, host)
    if stuck := waiting.queued(staying):
        raise VerifyFailed(
            f"{len(stuck)} messages wait for mailboxes of the {host} host itself",
            host=host,
            expected="no message in the queue that would be delivered there after the copy",
            seen=waiting.words(stuck),
            advice="mend the reason (a full or locked mailbox), run `sendmail -q` there, then run this again",
        )
    _refuse_held(context, host, staying)


def _delivers(context: Context, host: HostName) -> bool:
    return any(one.activity is Activity.DELIVERING for one in daemons.running(context.reader(host)).all)


def refuse_held(context: Context, host: HostName) -> None:
    """Raise Refused where quarantined or lost messages would end in a host's own mailboxes once they are released.

    No run of the queue delivers them, so they cannot be brought there before the copy as others are.
    """
    _refuse_held(context, host, waiting.staying(context, host))


def _refuse_held(context: Context, host: HostName, staying: Sequence[QueuedMessage]) -> None:
    held = tuple(message for message in staying if message.kind != "queued")
    if held and HELD_MAIL not in context.force:
        raise Refused(
            f"{len(held)} messages are quarantined or lost in the {host} host's queue that end in its own mailboxes",
            host=host,
            expected="no message that would be delivered there after the copy, whoever releases it",
            seen=waiting.recipients_of(held),
            advice="release them there (`sendmail -Q -qQ`, then `sendmail -q`; a Qf file is one that Sendmail gave up: "
            "see its log), or delete them, and run this again",
            lifted_by=HELD_MAIL,
        )


def _left(
    context: Context, host: HostName, earlier: str | None
) -> tuple[tuple[Process, ...], tuple[Process, ...]]:
    """Return what may still deliver by the configuration of before, and the runners of the queue that hold it."""
    found = daemons.running(context.reader(host))
    if earlier is None:
        return found.unfinished, ()
    sessions = frozenset(int(word) for word in host_text.words(context.memory.get(earlier, "")))
    return found.of_before(sessions), found.stale_runners(sessions)
