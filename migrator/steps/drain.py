"""Processes that still hold the earlier configuration can deliver to a mailbox after it was copied."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change, Shell, Undo
from migrator.errors import StartOver, VerifyFailed
from migrator.net.firewall import CLOSED
from migrator.sendmail.processes import Process
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import daemons, port, waiting
from migrator.steps.relay import GENERATIONS

PATIENCE = 30
"""Seconds in which sessions may end by themselves before idle ones are ended (RFC 5321 4.5.3.2 lets a client idle
for 5 minutes; one that is told 421 in between tries again)."""
LONGEST = 540
"""Seconds after which a delivery that does not end is reported; a script waits longer for another one (LOCK_WAIT)."""


class Drain(Step):
    """Let every session and delivery end that began before the switch."""

    name = "drain"
    phase = Phase.CUTOVER
    after = {"hold": "relay", "firewall": "close-old"}
    attempts = 5  # a session of before may start a delivery while it is waited for

    def ready(self, context: Context) -> None:
        """Raise StartOver where the old host's port has opened by its timer: sessions would never end."""
        if context.plan.cutover.strategy == "firewall":
            expect_old_closed(context)

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the waits that are needed."""
        yield from drain(context, of_before=context.plan.cutover.strategy == "hold")

    def verify(self, context: Context) -> None:
        """Look at the old host's processes and queue anew. Raises VerifyFailed naming what is left."""
        expect_drained(context, of_before=context.plan.cutover.strategy == "hold")


def drain(context: Context, *, of_before: bool) -> Iterator[Change]:
    """Yield a wait for sessions and deliveries (`of_before`: of the configuration before the listener's alone).

    A message that waits for a mailbox of the old host itself, by an alias, would be delivered there after the
    copy: a run of the queue delivers it now.
    """
    if left := _left(context, of_before=of_before):
        script = daemons.end_script(left, patience=PATIENCE, longest=LONGEST)
        yield Change(
            f"let {len(left)} sessions and deliveries end on the old host that began before the switch",
            Shell("old", script, timeout=LONGEST + 60, shown=f"wait for {daemons.words(left)}"),
            Undo.NOT_NEEDED,
        )
    if waiting.for_own_mailboxes(context):
        yield Change(
            "deliver what waits for mailboxes of the old host itself",
            Shell("old", _run_queue(waiting.for_own_mailboxes(context)), timeout=LONGEST),
            Undo.NOT_NEEDED,
        )


def expect_drained(context: Context, *, of_before: bool) -> None:
    """Raise VerifyFailed where something on the old host can still deliver to its own mailboxes."""
    if left := _left(context, of_before=of_before):
        raise VerifyFailed(
            "deliveries from before the switch still run on the old host",
            host="old",
            expected="no session and no delivery that holds the earlier configuration",
            seen=daemons.words(left),
            advice="see what they wait for, and end them (kill PID) where it is hopeless: their messages stay "
            "in the queue",
        )
    if stuck := waiting.for_own_mailboxes(context):
        raise VerifyFailed(
            f"{len(stuck)} messages wait for mailboxes of the old host itself",
            host="old",
            expected="no message in the queue that would be delivered there after the copy",
            seen=waiting.words(stuck),
            advice="mend the reason (a full or locked mailbox), run `sendmail -q` there, then run this again",
        )


def expect_old_closed(context: Context) -> None:
    """Raise StartOver where the old host takes mail again: its timer went off, or it was rebooted."""
    if port.state(context, "old").word != CLOSED:
        raise StartOver(
            "the old host takes mail again, for cutover.max_closed has passed since it was closed",
            step="close-old",
            host="old",
            expected="port 25 closed until the relay is loaded",
            seen="port 25 is open",
        )


def _left(context: Context, *, of_before: bool) -> tuple[Process, ...]:
    found = daemons.running(context.old)
    if not of_before:
        return found.unfinished
    earlier = {int(word) for word in context.memory.get(GENERATIONS, "").split()}
    return found.unfinished_of(frozenset(earlier) - found.generations)


def _run_queue(messages: tuple[QueuedMessage, ...]) -> str:
    """Return the script that tries just these messages, however young they are and however busy the host."""
    return "".join(f"sendmail -OMinQueueAge=0 -OQueueLA=1000 -qI{shlex.quote(one.id)}\n" for one in messages)
