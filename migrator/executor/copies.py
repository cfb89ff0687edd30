"""How the trees of a plan differ between the hosts, with the migration's key or, before there is one, without."""

from __future__ import annotations

from typing import Protocol

from migrator.errors import CommandFailed, HostError
from migrator.executor.home import Homecoming, RelayedHost
from migrator.hosts.base import Output
from migrator.hosts.tunnel import rehearse
from migrator.mailstore import rsync
from migrator.mailstore.progress import Statistics, parse_items, parse_statistics
from migrator.plan import Plan


class ReachableHost(RelayedHost, Protocol):
    """A mail host that a rehearsal can be relayed to, and that knows how it is reached."""

    def endpoint(self) -> tuple[str, int, str]:
        """Return host, port and user as ssh_config makes them of the plan."""


class RsyncCopies:
    """Compares trees by rsync's own dry run, relayed by this machine. Given the plan and both hosts.

    It works before the migration's key is installed and after it is gone, and writes nothing on either host.
    """

    def __init__(self, plan: Plan, old: ReachableHost, new: ReachableHost) -> None:
        self._plan = plan
        self._old = old
        self._new = new

    def differences(self, tree: int, *, checksum: bool, delete: bool) -> tuple[str, ...]:
        """Return rsync's itemized differences of a tree; see Copies."""
        return parse_items(self._rehearse(tree, checksum=checksum, delete=delete, itemize=True).stdout)

    def counts(self, tree: int, *, checksum: bool = False, delete: bool = False) -> Statistics:
        """Return how much a pass over a tree would copy and delete. Raises CommandFailed where rsync cannot tell."""
        return parse_statistics(self._rehearse(tree, checksum=checksum, delete=delete, itemize=False).stdout)

    def homeless(self, tree: int) -> tuple[str, ...]:
        """Return what the new host has and the old one lacks; see Copies."""
        return Homecoming(self._plan, tree, self._old, self._new).homeless()

    def _rehearse(self, tree: int, *, checksum: bool, delete: bool, itemize: bool) -> Output:
        planned = self._plan.sync[tree]
        words = rsync.pass_words(
            planned,
            delete=delete,
            checksum=checksum,
            dry_run=True,
            itemize=itemize,
            spool=self._plan.old.mail_spool,
        )
        output = rehearse(
            self._old,
            self._new,
            rsync.relayed_words(words, index=tree),
            source=planned.source,
            target=rsync.destination(planned),
        )
        if output.status < 0:
            raise HostError("the connection ended before rsync did", host="new")
        if output.status != 0:
            raise CommandFailed(
                f"rsync cannot compare {planned.source} of the old host with {planned.target} of the new one",
                status=output.status,
                host="new",
                expected="exit status 0",
                seen="\n".join(filter(None, (output.stderr.strip()[-300:], output.stdout.strip()[-300:]))),
                advice=rsync.advice(output.status),
            )
        return output
