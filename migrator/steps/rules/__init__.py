"""All rules: what is looked at before anything is touched, by `check` and by the first step of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrator.steps.base import Context
from migrator.steps.rules import (
    exemption,
    formats,
    held,
    host,
    identity,
    keys,
    load,
    made,
    mail,
    patience,
    plan,
    ports,
    routes,
    ways_in,
)
from migrator.steps.rules.finding import Both, Finding, Level, look_at_both

__all__ = ["HOST_RULES", "PLAN_RULES", "RULES", "Finding", "Level", "hosts"]

HOST_RULES: tuple[Callable[[Both], Iterator[Finding]], ...] = (
    identity.machines,
    identity.runs,
    host.system,
    host.configuration,
    made.derived,
    exemption.let_in,
    patience.queuereturn,
    held.held,
    host.maps,
    host.programs,
    host.login_shell,
    host.firewall,
    ports.reach,
    load.load,
    host.clock,
    keys.left_keys,
    ways_in.ways_in,
    mail.domains,
    routes.movable,
    mail.accounts,
    mail.mailboxes,
    formats.formats,
    mail.space,
)
"""What both hosts have to be looked at for."""

PLAN_RULES: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    plan.records,
    plan.update,
    plan.window,
)
"""What needs no host."""


def hosts(context: Context) -> Iterator[Finding]:
    """Yield what every rule about the hosts finds.

    Raises HostError where one cannot be reached, and another MigrateError where something cannot be read.
    """
    both = look_at_both(context)
    for rule in HOST_RULES:
        yield from rule(both)


RULES: tuple[Callable[[Context], Iterator[Finding]], ...] = (hosts, *PLAN_RULES)
"""Every rule of a run. One that cannot look at all raises a MigrateError."""
