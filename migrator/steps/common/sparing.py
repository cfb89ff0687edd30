"""What both hosts keep for themselves inside the trees of a plan: how they are asked for it, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from migrator.change import HostName
from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.hosts.sshd import authorized_keys_files, settings_script
from migrator.mailstore import spared
from migrator.mailstore.spared import Places, Spared
from migrator.plan import Plan
from migrator.steps.base import Context
from migrator.steps.common.at_once import at_once

_MARK = "migrate-sshd-of-root"
_ROOT = "root"


class Sparing:
    """Tells what is spared. Given the plan, both hosts and their facts; the hosts are asked once, when first needed."""

    def __init__(self, plan: Plan, hosts: Mapping[str, Reader], facts: Callable[[str], HostFacts]) -> None:
        self._plan = plan
        self._hosts = hosts
        self._facts = facts
        self._known: Spared | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Spared:
        """Return it. Raises HostError, or CommandFailed where a host cannot tell."""
        with self._lock:
            if self._known is None:
                self._known = look(self._plan, self._hosts, self._facts)
            return self._known


def look(plan: Plan, hosts: Mapping[str, Reader], facts: Callable[[str], HostFacts]) -> Spared:
    """Ask both hosts at once where their ways in are. Raises HostError, CommandFailed."""
    old, new = at_once(
        lambda: _places(hosts["old"], facts("old"), facts("new"), _roots(plan, "old")),
        lambda: _places(hosts["new"], facts("new"), facts("old"), _roots(plan, "new")),
    )
    return Spared(old, new)


def spared_of(context: Context) -> Spared:
    """Return what is spared: as the hosts told it, or without them as the paths alone say."""
    if context.spared is not None:
        return context.spared()
    hosts: tuple[HostName, HostName] = ("old", "new")
    old, new = (
        spared.lexical(spared.kept_paths(_homes(context.facts(host))), _roots(context.plan, host))
        for host in hosts
    )
    return Spared(old, new)


def _roots(plan: Plan, host: HostName) -> tuple[str, ...]:
    return tuple(tree.source if host == "old" else tree.target for tree in plan.sync)


def _homes(facts: HostFacts) -> tuple[str, ...]:
    account = facts.accounts.get(_ROOT)
    return tuple(dict.fromkeys(filter(None, (facts.home, account.home if account else "/root"))))


def _places(reader: Reader, facts: HostFacts, beyond: HostFacts, roots: tuple[str, ...]) -> Places:
    kept = spared.kept_paths(_homes(facts), _authorized(reader, facts, beyond))
    output = reader.inspect(spared.places_script(kept, roots))
    if output.status == 0 and not output.stdout:
        return spared.lexical(kept, roots)
    try:
        return spared.parse_places(output.stdout, kept, roots)
    except ValueError as error:
        raise CommandFailed(
            "the host does not tell where its ways in are",
            status=output.status,
            host=reader.name,
            expected="readlink and printf there follow the paths",
            seen=output.stderr.strip()[-300:] or str(error),
            advice="see what they say there, and run the same command again",
        ) from error


def _authorized(reader: Reader, facts: HostFacts, beyond: HostFacts) -> tuple[str, ...]:
    """Return where sshd looks for the keys of who logs in, and of root."""
    address = beyond.source or "127.0.0.1"
    own = settings_script(user=facts.login or _ROOT, address=address)
    root = settings_script(user=_ROOT, address=address)
    told = reader.inspect(f"(\n{own})\necho {_MARK}\n(\n{root})\n").stdout
    first, _, second = told.partition(f"{_MARK}\n")
    files: list[str] = []
    for text, user in ((first, facts.login), (second, _ROOT)):
        account = facts.accounts.get(user)
        uid, home = (account.uid, account.home) if account else (0, facts.home or "/root")
        files += authorized_keys_files(text, user=user, uid=uid, home=home)
    return tuple(files)
