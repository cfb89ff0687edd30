"""Changing address records in the way the plan says: by a signed message, or by the operator's own program."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from migrator.change import AddressSet, DnsUpdate
from migrator.errors import CommandFailed, DnsError
from migrator.net.nameserver import Server, is_address
from migrator.net.resolver import Resolver
from migrator.net.tsig import TsigKey, parse_key, read_key
from migrator.net.update import update
from migrator.plan import Plan, Rfc2136Plan
from migrator.secret import masked

PROGRAM_TIMEOUT = 300.0
"""How long the operator's program may take, in seconds."""


class DnsUpdater:
    """Makes DNS updates. Given the plan and, for tests, the environment that may hold the key."""

    def __init__(self, plan: Plan, environment: Mapping[str, str] | None = None) -> None:
        self._plan = plan
        self._environment = os.environ if environment is None else environment

    def perform(self, command: DnsUpdate) -> None:
        """Make the name's address records what the command says. Raises DnsError or CommandFailed."""
        dns = self._plan.dns
        if dns.update == "rfc2136" and dns.rfc2136 is not None:
            self._send(command, dns.rfc2136)
            return
        for words in self._programs(command):
            self._run(words, command)

    def words(self, command: DnsUpdate) -> str:
        """Return in words what `perform` would do."""
        dns = self._plan.dns
        records = "\n".join(f"  {line}" for one in command.sets for line in record_lines(command.name, one))
        if dns.update == "rfc2136" and dns.rfc2136 is not None:
            where = (
                f"{dns.rfc2136.server} port {dns.rfc2136.port}, signed with the key {dns.rfc2136.key_name}"
            )
            return f"one update message (RFC 2136) to {where}:\n{records}"
        runs = "\n".join(" ".join(words) for words in self._programs(command))
        return f"run:\n{runs}\nfor these records:\n{records}"

    def _send(self, command: DnsUpdate, settings: Rfc2136Plan) -> None:
        place = (
            f"[{settings.server}]:{settings.port}"
            if ":" in settings.server
            else f"{settings.server}:{settings.port}"
        )
        resolver = Resolver([place])
        zone = resolver.zone(command.name).to_text()
        servers = [server for server in resolver.authoritative(command.name) if server.address]
        if is_address(settings.server):
            servers = [Server(settings.server, settings.server, settings.port)]
        if not servers:
            raise DnsError(
                f"the name server {settings.server} has no address", advice="check dns.rfc2136.server"
            )
        update(servers[0], zone, command.name, command.sets, self._key(settings))

    def _key(self, settings: Rfc2136Plan) -> TsigKey:
        name, algorithm = settings.key_name, settings.key_algorithm
        if settings.key_file is not None:
            return read_key(Path(settings.key_file), name=name, algorithm=algorithm)
        text = self._environment.get(settings.key_env)
        if not text:
            raise DnsError(
                f"the environment variable {settings.key_env} is not set",
                expected="the TSIG secret",
                advice=f"export {settings.key_env}, or name a file in dns.rfc2136.key_file",
            )
        return parse_key(text, name=name, algorithm=algorithm)

    def _programs(self, command: DnsUpdate) -> list[tuple[str, ...]]:
        dns = self._plan.dns
        if dns.update == "lexicon" and dns.lexicon is not None:
            return _lexicon(dns.lexicon.provider, self._plan.domains, command)
        if dns.update == "command" and dns.command:
            words = [command.name]
            for one in command.sets:
                words += [one.rdtype, str(one.ttl), ",".join(one.addresses) or "-"]
            return [(*dns.command, *words)]
        raise DnsError(
            "the plan has no way to change DNS records",
            expected='dns.update "rfc2136", "command" or "lexicon"',
            seen=f"{dns.update!r}",
            advice="enter the records by hand",
        )

    def _run(self, words: tuple[str, ...], command: DnsUpdate) -> None:
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROGRAM_TIMEOUT,
                check=False,
                env=self._environment,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DnsError(
                f"{words[0]} could not change the records of {command.name}",
                host="operator",
                seen=masked(str(error), self._environment),
            ) from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            # A program in trouble may print what it was given to log in with.
            said = masked(said, self._environment)
            raise CommandFailed(
                f"{words[0]} could not change the records of {command.name}",
                status=done.returncode,
                host="operator",
                expected="exit status 0",
                seen=said[-500:] or f"exit status {done.returncode}, and no word",
                advice=f"try it by hand: {' '.join(words)}",
            )


def record_lines(name: str, one: AddressSet) -> list[str]:
    """Return a set of address records as lines of a zone file; one that says so where there are none."""
    if not one.addresses:
        return [f"{name}. {one.rdtype}: none"]
    return [f"{name}. {one.ttl} IN {one.rdtype} {address}" for address in one.addresses]


def _lexicon(provider: str, domains: tuple[str, ...], command: DnsUpdate) -> list[tuple[str, ...]]:
    zone = max((each for each in domains if f".{command.name}".endswith(f".{each}")), key=len, default=None)
    if zone is None:
        zone = command.name.partition(".")[2]
    runs: list[tuple[str, ...]] = []
    for one in command.sets:
        same = (f"--name={command.name}", f"--ttl={one.ttl}")
        if len(one.addresses) == 1:
            runs.append(
                ("lexicon", provider, "update", zone, one.rdtype, *same, f"--content={one.addresses[0]}")
            )
            continue
        runs.append(("lexicon", provider, "delete", zone, one.rdtype, same[0]))
        runs += [
            ("lexicon", provider, "create", zone, one.rdtype, *same, f"--content={address}")
            for address in one.addresses
        ]
    return runs
