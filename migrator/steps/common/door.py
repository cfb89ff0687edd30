"""Where the old host keeps what lets the run's key in: what its own sshd says, not what is usual."""

from __future__ import annotations

from migrator.hosts.sshd import authorized_keys_files, settings_script
from migrator.mailstore.access import DoorPaths
from migrator.steps.base import Context


def door(context: Context) -> DoorPaths:
    """Return the paths on the old host, for the user that ssh logs in as and the new host's address."""
    facts = context.facts("old")
    address = context.facts("new").source or context.plan.new.address
    told = context.old.inspect(settings_script(user=facts.login, address=address)).stdout
    account = facts.accounts.get(facts.login)
    files = authorized_keys_files(told, user=facts.login, uid=account.uid if account else 0, home=facts.home)
    return DoorPaths.of(context.plan.name, facts.home, files)
