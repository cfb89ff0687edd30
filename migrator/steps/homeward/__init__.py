"""The way home: the steps, one file each, that end the rollback of a cutover which was begun.

They run once everything is undone: the old host delivers for itself again, and so may the new one, where mail still
comes in. Each yields nothing where its work was never needed.
"""

from __future__ import annotations

from migrator.steps.base import Step
from migrator.steps.homeward.bring_back import BringBack
from migrator.steps.homeward.bring_home import BringMailHome
from migrator.steps.homeward.close_again import CloseAgain
from migrator.steps.homeward.drain_home import DrainHome
from migrator.steps.homeward.names_home import NamesHome
from migrator.steps.homeward.put_back import PutBack
from migrator.steps.homeward.relay_home import RelayHome


def homeward() -> tuple[Step, ...]:
    """Return the steps of the way home in their order."""
    return (RelayHome(), DrainHome(), BringMailHome(), NamesHome(), PutBack())


def turning() -> tuple[Step, ...]:
    """Return the steps, in their order, with which the way back begins of a cutover that is undone by itself.

    They do nothing where the new host was not opened yet.
    """
    return (CloseAgain(), BringBack())
