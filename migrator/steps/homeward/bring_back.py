"""A cutover that opened the new host is undone by itself: what that host took meanwhile comes back with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrator.change import Change, Undo
from migrator.steps.base import Context
from migrator.steps.common import holding
from migrator.steps.common.opening import opened
from migrator.steps.homeward.bring_home import BringMailHome, known_script


class BringBack(BringMailHome):
    """Bring home what the new host delivered while it was open to the old one: nothing is overwritten or doubled."""

    name = "bring-back"
    after = "close-again"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change a tree, and a note for the next cutover's copy: what stands there now is home as well.

        What the old host kept back is released first: it reaches the new one no more, and delivers for itself soon.
        """
        if not opened(context):
            return
        # Not remembered, for it bears repetition, and a rollback would take it for what a later run kept back.
        yield from (replace(change, remember={}) for change in holding.released(context))
        yield from super().changes(context)
        yield Change("note on the new host that all its mail is home", known_script(context), Undo.NOT_NEEDED)

    def verify(self, context: Context) -> None:
        """Compare the mailboxes anew, where the new host was opened. Raises VerifyFailed naming what is not home."""
        if opened(context):
            super().verify(context)
