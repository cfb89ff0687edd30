"""How the new host comes to a connection to the old one, by the plan: directly, or by a port on its loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from migrator.errors import HostError
from migrator.hosts.forward import Connected, forward
from migrator.hosts.push import Holding, hold_script, pushed
from migrator.hosts.sshd import CONNECTION_SCRIPT, parse_connection
from migrator.plan import Plan


class Reached(Connected, Holding, Protocol):
    """A mail host, as much of it as the ways between the hosts need."""

    def endpoint(self) -> tuple[str, int, str]:
        """Return host, port and user as ssh_config makes them of the plan."""

    def host_key_line(self, address: str, port: int) -> str:
        """Return the verified host key as a line of known_hosts, for the address and port others use."""


@contextmanager
def passage(plan: Plan, old: Reached, new: Reached) -> Iterator[int]:
    """Open the way from the new host to the old one, and give the port on the new host's loopback that leads there.

    0: the new host reaches the old one by itself, and nothing was opened. At the end it is closed. Raises HostError
    where a host cannot be reached, or forbids it.
    """
    if plan.copying.via == "operator":
        with forward(new, old) as port:
            yield port
    elif plan.copying.via == "push":
        script = hold_script(plan.name, new.endpoint(), sshd_of(old))
        with pushed(old, script, plan.name) as port:
            yield port
    else:
        yield 0


def sshd_of(host: Reached) -> tuple[str, int]:
    """Return the address and port at which a host's sshd was reached. Raises HostError where it does not say."""
    ends = parse_connection(host.inspect(CONNECTION_SCRIPT).stdout)
    if ends is None:
        raise HostError(
            "the host does not say where its own sshd listens",
            host=host.name,
            expected="SSH_CONNECTION in the environment of what its sshd starts (ssh(1))",
            seen="nothing that can be read",
        )
    return ends.server, ends.port


class Between:
    """The old host as the new one reaches it, and the other way about: see Door. Given the plan and both hosts."""

    def __init__(self, plan: Plan, old: Reached, new: Reached) -> None:
        self._plan = plan
        self._hosts = {"old": old, "new": new}

    def endpoint(self, host: str = "old") -> tuple[str, int, str]:
        """Return host, port and user as ssh_config makes them of the plan; nothing is contacted."""
        return self._hosts[host].endpoint()

    def host_key_line(self, address: str, port: int, host: str = "old") -> str:
        """Return a host's verified key as a line of known_hosts, for the address and port the other one uses."""
        return self._hosts[host].host_key_line(address, port)

    @contextmanager
    def passage(self) -> Iterator[int]:
        """Open the way from the new host to the old one; see passage."""
        with passage(self._plan, self._hosts["old"], self._hosts["new"]) as port:
            yield port
