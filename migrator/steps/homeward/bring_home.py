"""Mail that the new host delivered to its own mailboxes comes home to the old one's."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import BringHome, Change, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.mailstore import arrivals
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.opening import opened
from migrator.steps.common.passes import own_mail
from migrator.steps.common.port import prepared

_SHOWN = 5


class BringMailHome(Step):
    """Bring home what the new host delivered since the cutover: nothing is overwritten, doubled or deleted."""

    name = "bring-home"
    phase = Phase.HOME
    after = "drain-home"
    attempts = 3  # a mailbox that was locked is tried again

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change a tree; without an opened new host only where it took mail by itself all the same."""
        if not opened(context) and not own_mail(context).paths:
            return
        for index, tree in enumerate(context.plan.sync):
            yield Change(
                f"bring home what {tree.target} of the new host has and {tree.source} of the old one lacks",
                BringHome(index),
                # What is home belongs there, whatever becomes of the rest.
                Undo.NOT_NEEDED,
            )

    def verify(self, context: Context) -> None:
        """Compare the mailboxes anew, message by message. Raises VerifyFailed naming what is not home."""
        if not opened(context) and not own_mail(context).paths:
            return
        for index, tree in enumerate(context.plan.sync):
            if left := context.copies.homeless(index):
                more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
                raise VerifyFailed(
                    f"mail in {tree.target} of the new host is not home yet",
                    host="old",
                    expected=f"every message of it in {tree.source} of the old host",
                    seen=", ".join(left[:_SHOWN]) + more,
                    advice="see that nothing delivers to the new host's mailboxes and nobody reads them by IMAP "
                    "or POP, then type `migrate rollback` again",
                )


def known_script(context: Context) -> Shell:
    """Return what tells the next migration of this name that what stands on the new host now is no mail of its own."""
    return Shell(
        "new",
        prepared(
            context,
            arrivals.begin_script(context.plan.name, None) + arrivals.end_script(context.plan.name),
        ),
    )
