"""What a command works with: both hosts, the DNS and the executors, made from a plan."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from migrator.errors import HostError
from migrator.event import Event, Kind
from migrator.executor import DryRunExecutor, LiveExecutor, RsyncCopies
from migrator.hosts.between import Between
from migrator.hosts.facts import HostFacts, look
from migrator.hosts.ssh import SshHost
from migrator.hosts.web import PlainWeb
from migrator.net.question import Answer
from migrator.net.resolver import Resolver
from migrator.net.smtp import converse
from migrator.plan import HostPlan, Plan
from migrator.steps.base import Context
from migrator.steps.common.sparing import Sparing


@dataclass(frozen=True, slots=True)
class Tools:
    """What steps may look at, and makers of the two executors."""

    context: Context
    live: Callable[[], LiveExecutor]
    dry: Callable[..., DryRunExecutor]


@contextmanager
def wired(plan: Plan, force: frozenset[str], notify: Callable[[Event], None]) -> Iterator[Tools]:
    """Given a plan, the words of --force and what is told messages and progress, give the tools.

    Hosts are connected to when they are first needed, and left at the end.
    """
    with ExitStack() as stack:
        old, new = SshHost("old", plan.old, plan.name), SshHost("new", plan.new, plan.name)
        stack.callback(old.close)
        stack.callback(new.close)
        facts = Facts(plan, old, new)
        spared = Sparing(plan, {"old": old, "new": new}, facts)
        context = Context(
            plan=plan,
            old=old,
            new=new,
            facts=facts,
            names=PlanNames(plan),
            copies=RsyncCopies(plan, old, new, spared=spared),
            door=Between(plan, old, new),
            mail=PortMail(plan),
            web=PlainWeb(),
            memory={},
            now=lambda: datetime.now(UTC),
            sleep=time.sleep,
            force=force,
            spared=spared,
            tell=lambda text: notify(Event(Kind.PROGRESS, datetime.now(UTC), host="operator", text=text)),
        )
        yield Tools(
            context,
            live=lambda: LiveExecutor(plan, {"old": old, "new": new}, notify=notify, spared=spared),
            dry=lambda *, full=False: DryRunExecutor(
                plan, {"old": old, "new": new}, notify=notify, spared=spared, full=full
            ),
        )


@contextmanager
def reached(old_ssh: str, new_ssh: str) -> Iterator[tuple[SshHost, dict[str, str], str]]:
    """Given how ssh reaches two hosts, give the old one, both addresses, and what the old one calls itself.

    Raises ValueError for what is no ssh destination, HostError where a host cannot be reached.
    """
    with ExitStack() as stack:
        plans = {"old": HostPlan(old_ssh, ("",)), "new": HostPlan(new_ssh, ("",))}
        hosts = {name: SshHost(name, plan, "init") for name, plan in plans.items()}
        for host in hosts.values():
            stack.callback(host.close)
        addresses = {name: address_of(host) for name, host in hosts.items()}
        looks = {
            name: look(
                host, peer=addresses["new" if name == "old" else "old"], mail_spool=plans[name].mail_spool
            )
            for name, host in hosts.items()
        }
        yield hosts["old"], addresses, looks["old"].hostname


def address_of(host: SshHost) -> str:
    """Return the first address of a host's port 25. Raises HostError for a name without one."""
    name, _, _ = host.endpoint()
    try:
        return str(socket.getaddrinfo(name, 25, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise HostError(
            f"{name} has no address: {error.strerror}",
            host=host.name,
            advice="give an address instead of the name",
        ) from error


class Facts:
    """What is known of each host, looked at once, when it is first asked for. Given the plan and both hosts."""

    def __init__(self, plan: Plan, old: SshHost, new: SshHost) -> None:
        self._looks = {
            "old": lambda: look(old, peer=plan.new.address, mail_spool=plan.old.mail_spool),
            "new": lambda: look(new, peer=plan.old.address, mail_spool=plan.new.mail_spool),
        }
        self._known: dict[str, HostFacts] = {}
        self._locks = {"old": threading.Lock(), "new": threading.Lock()}

    def __call__(self, host: str) -> HostFacts:
        """Return the facts of "old" or "new". Raises HostError, or what `look` raises."""
        with self._locks[host]:
            if host not in self._known:
                self._known[host] = self._looks[host]()
            return self._known[host]


class PlanNames:
    """The DNS as steps may ask it. Given the plan, which may name servers and resolvers."""

    def __init__(self, plan: Plan) -> None:
        self._resolver = Resolver(plan.dns.nameservers)
        self._watched = plan.dns.resolvers

    def authoritative(self, name: str) -> tuple[Answer, ...]:
        """Return what every authoritative server says; see Names."""
        return self._resolver.query_authoritative(name)

    def resolvers(self, name: str) -> tuple[Answer, ...]:
        """Return what every watched resolver says; see Names."""
        return self._resolver.query_resolvers(name, self._watched)


class PortMail:
    """Port 25 as steps may ask it. Given the plan, whose first domain stands in EHLO."""

    def __init__(self, plan: Plan) -> None:
        self._helo = f"migrate.{plan.domains[0]}"

    def recipient(self, address: str, *, sender: str, recipient: str) -> tuple[int, str]:
        """Return what decided the dialogue; see Mail."""
        held = converse(address, helo=self._helo, sender=sender, recipients=[recipient], timeout=15.0)
        reply = held.deciding
        if reply is None or (reply.good and reply.phase != "rcpt"):
            held.require()
        return (reply.code, reply.text) if reply else (0, "no reply")
