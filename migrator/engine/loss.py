"""An old host that does not answer any more: what can be done without it, and why no way leads home."""

from __future__ import annotations

from migrator.errors import HostError, Refused, sentences
from migrator.journal import State
from migrator.steps.base import Context
from migrator.steps.lost.tell import LOST, OLD_HOST_LOST, last_pass, lost


def without_old(context: Context) -> bool:
    """Return whether the run goes on with the new host alone."""
    return OLD_HOST_LOST in context.force or LOST in context.memory


def explain_loss(context: Context, error: HostError, *, home: bool) -> None:
    """Add to an error of the old host what is known to be where, and what is to be done where it is lost for good."""
    if error.host != "old" or without_old(context):
        return
    name, when = last_pass(context)
    if not name:
        further = "where the old host is lost for good: no copy of its mail is whole on the new host yet"
    else:
        further = (
            f"where the old host is lost for good: its mailboxes are on the new host as they were at {when} ({name}), "
            f"and {'; '.join(lost(context))}. `migrate run --force {OLD_HOST_LOST}` ends with the new host alone"
        )
    if home:
        further = (
            f"there is no way home without the old host, whose mailboxes the mail would come to; {further}"
        )
    error.advice = sentences((error.advice or "", further))


def refuse_way_home(state: State, context: Context) -> None:
    """Raise Refused where the migration went on without the old host, or is to be rolled back without it."""
    gone = [deed for deed in state.undoable() if LOST in deed.data["remember"]]
    if gone or OLD_HOST_LOST in context.force:
        raise Refused(
            "There is no way home: the old host is lost",
            host="old",
            expected="a host whose mailboxes the mail comes home to, and whose configuration is put back",
            seen=gone[0].summary if gone else f"--force {OLD_HOST_LOST}",
            advice="nothing was touched; the way on is the new host alone: `migrate run` goes on there"
            if gone
            else f"nothing was touched; `migrate run --force {OLD_HOST_LOST}` ends with the new host alone",
        )
