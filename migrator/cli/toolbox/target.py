"""Which host a tool is for: a plan of one host made of `--host`, or a host of a plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.change import HostName
from migrator.cli.toolbox.common import Common
from migrator.errors import UsageError
from migrator.event import Event
from migrator.plan import HostPlan, Plan, load

if TYPE_CHECKING:
    from migrator.cli.wiring import Tools

_NAMES: dict[str, HostName] = {"old": "old", "new": "new"}


@dataclass(frozen=True, slots=True)
class Target:
    """The host of a tool: its name in `plan`, and what a person calls it.

    With `--host` both hosts of the plan are this one, and no other is ever contacted. The plan's name is that of
    the journal's folder, so the tools have a journal of their own for each host. `migration` is the folder of the
    migration that the plan is of, None with `--host`.
    """

    plan: Plan
    host: HostName
    shown: str
    migration: Path | None = None

    @property
    def address(self) -> str:
        """Return the address of the host's port 25."""
        return (self.plan.old if self.host == "old" else self.plan.new).address

    def words(self, text: str) -> str:
        """Return a text in which a host is called "the new host" with what a person calls it."""
        return re.sub(rf"\b(the )?{self.host} host\b", self.shown, text)


def target(common: Common) -> Target:
    """Given the options, return the host; nothing is contacted but the resolver.

    Raises UsageError where they name none, or more than one, PlanError for a faulty plan, HostError for a name
    without an address.
    """
    if bool(common.host) == bool(common.plan):
        raise UsageError(
            "One host is wanted", advice="give --host SSH, or --plan PLAN with --on old or --on new"
        )
    if common.plan is None:
        return _of_host(common)
    if common.on not in _NAMES:
        raise UsageError("Which host of the plan?", expected="--on old or --on new", seen=common.on or None)
    host = _NAMES[common.on]
    plan = load(common.plan, state_root=common.state_dir)
    own = replace(plan, name=f"toolbox-{plan.name}-{host}")
    return Target(own, host, f"the {host} host", plan.state_dir)


@contextmanager
def reached(chosen: Target, force: frozenset[str], notify: Callable[[Event], None]) -> Iterator[Tools]:
    """Given a target, the words of --force and what is told messages, give what a tool may look at."""
    from migrator.cli.wiring import wired

    with wired(chosen.plan, force, notify) as tools:
        yield tools


def _of_host(common: Common) -> Target:
    from migrator.cli.wiring import address_of
    from migrator.hosts.ssh import SshHost

    known = common.known_hosts or Path("~/.ssh/known_hosts")
    key = common.identity_file.expanduser() if common.identity_file else None
    host = HostPlan(common.host, (), key, known.expanduser(), sudo=common.sudo)
    ssh = SshHost("new", host, "toolbox")
    try:
        place, port, _ = ssh.endpoint()
    except ValueError as error:
        raise UsageError(f"--host is no ssh destination: {error}", seen=common.host) from None
    host = replace(host, addresses=(address_of(ssh),))
    name = re.sub("[^A-Za-z0-9.-]+", "-", f"toolbox-{place}" + (f"-{port}" if port != 22 else ""))
    path = Path.cwd() / name
    plan = Plan(path, name, (place,), place, host, host, (), state_root=common.state_dir)
    return Target(plan, "new", place)
