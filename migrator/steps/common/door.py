"""Where a host keeps what lets the run's key in: what its own sshd says, not what is usual."""

from __future__ import annotations

from migrator.change import HostName
from migrator.hosts.sshd import authorized_keys_files, settings_script
from migrator.mailstore.access import DoorPaths
from migrator.steps.base import Context


def door(context: Context, host: HostName = "old") -> DoorPaths:
    """Return the paths on a host, for the user that ssh logs in as there and the other host's address."""
    beyond = "new" if host == "old" else "old"
    facts = context.facts(host)
    planned = context.plan.new if beyond == "new" else context.plan.old
    address = context.facts(beyond).source or planned.address
    told = context.reader(host).inspect(settings_script(user=facts.login, address=address)).stdout
    account = facts.accounts.get(facts.login)
    files = authorized_keys_files(told, user=facts.login, uid=account.uid if account else 0, home=facts.home)
    return DoorPaths.of(context.plan.name, facts.home, files)
