"""What a diagnosis looks at: a host's Sendmail as it is, as it runs, and as its files and log say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.sendmail import aliases, log, maps, safety, testmode, verification
from migrator.sendmail.cf import FILE_TYPES, Configuration
from migrator.sendmail.safety import Facts
from migrator.sendmail.testmode import Build
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import Verdict
from migrator.steps.common import ask, daemons
from migrator.steps.common.configure import CF
from migrator.steps.common.daemons import Running
from migrator.toolbox import maillog, queues
from migrator.toolbox.queues import Queues

VERIFIED = 100
"""How many addresses are verified; each may cost a look at the DNS."""

_LOADED_OPTIONS = ("ServerCertFile", "ServerKeyFile", "CACertFile", "DHParameters")
_TIME = re.compile(r"([0-9]{1,12}) (/.*)")


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is looked up in a map made from it: its source, the map's file, and whether both may be missing."""

    name: str
    source: str
    built: str
    optional: bool


@dataclass(frozen=True)
class Seen:
    """All that a diagnosis knows of one host. `times` are of last changes and `now`, in seconds since the epoch.

    `verdicts` holds what `sendmail -bv` says of each verified address; `unverified` counts those that were left out.
    `safety` is by path; `forwards` are the .forward files that exist, each with its user's number.
    """

    facts: HostFacts
    build: Build
    running: Running
    queues: Queues
    class_w: frozenset[str]
    tables: tuple[Table, ...]
    loaded: tuple[str, ...]
    times: Mapping[str, int]
    now: int
    verdicts: tuple[Verdict, ...]
    unverified: int
    safety: Mapping[str, Facts]
    forwards: Mapping[str, int]
    included: tuple[str, ...]
    log: tuple[log.Line, ...]

    @property
    def cf(self) -> Configuration:
        """The configuration of the MTA."""
        return self.queues.mta_cf


def gather(reader: Reader, facts: HostFacts) -> Seen:
    """Look at a host and return what is seen. Raises CommandFailed where something cannot be looked at."""
    found = queues.read(reader, facts)
    configuration = found.mta_cf
    sources = aliases.files(configuration)
    tables = _tables(configuration, sources)
    texts = reader.read_files([*sources, *(table.source for table in tables if table.name == "virtuser")])
    named = {name: leads for path in sources for name, leads in aliases.parse(texts.get(path) or "").items()}
    virtual = [
        entry.value
        for table in tables
        if table.name == "virtuser"
        for entry in maps.parse(texts.get(table.source) or "")
    ]
    addresses = _plain((*named, *virtual))
    included = tuple(
        lead.removeprefix(":include:")
        for leads in named.values()
        for lead in leads
        if lead.startswith(":include:/")
    )
    forwards = _forwards(reader, facts)
    loaded = (CF, *(file.path for file in configuration.class_files), *_options(configuration))
    dated = dict.fromkeys((*loaded, *(path for table in tables for path in (table.source, table.built))))
    now, times = _times(reader, tuple(dated))
    return Seen(
        facts=facts,
        build=_build(reader),
        running=daemons.running(reader),
        queues=found,
        class_w=ask.class_members(reader, "w"),
        tables=tables,
        loaded=loaded,
        times=times,
        now=now,
        verdicts=_verdicts(reader, addresses[:VERIFIED]),
        unverified=max(len(addresses) - VERIFIED, 0),
        safety=_safety(reader, (*dated, *forwards, *included)),
        forwards=forwards,
        included=included,
        log=maillog.last(reader),
    )


def _tables(configuration: Configuration, sources: tuple[str, ...]) -> tuple[Table, ...]:
    found = [Table("aliases", path, f"{path}.db", False) for path in sources]
    for declared in configuration.maps:
        if declared.type in FILE_TYPES and declared.type != "text" and declared.path.startswith("/"):
            source = declared.path.removesuffix(".db")
            found.append(Table(declared.name, source, f"{source}.db", "-o" in declared.options))
    return tuple(found)


def _options(configuration: Configuration) -> tuple[str, ...]:
    values = (configuration.option(name) or "" for name in _LOADED_OPTIONS)
    return tuple(value for value in values if value.startswith("/"))


def _plain(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses that can be verified: what has spaces, quotes or macros of a map is left out."""
    plain: list[str] = []
    for address in dict.fromkeys(addresses):
        try:
            plain += verification.checked_addresses([address])
        except TextError:
            continue
    return tuple(plain)


def _verdicts(reader: Reader, addresses: tuple[str, ...]) -> tuple[Verdict, ...]:
    return verification.parse(reader.read("sendmail", "-bv", *addresses).stdout) if addresses else ()


def _build(reader: Reader) -> Build:
    output = reader.read("sendmail", "-d0.11", "-bt")
    try:
        return testmode.parse_build(output.stdout)
    except TextError as error:
        raise CommandFailed(
            "Sendmail does not say what it is",
            status=output.status,
            host=reader.name,
            expected="`sendmail -d0.11 -bt` prints its version",
            seen=(output.stderr or output.stdout).strip()[-300:],
            advice="see whether Sendmail is installed there, and whether it can read its sendmail.cf",
        ) from error


def _forwards(reader: Reader, facts: HostFacts) -> dict[str, int]:
    paths = {
        f"{one.home.rstrip('/')}/.forward": one.uid for one in facts.accounts.values() if _is_home(one.home)
    }
    words = " ".join(map(shlex.quote, paths))
    listed = reader.inspect(
        f'for file in {words}; do [ -e "$file" ] && printf \'%s\\000\' "$file"; done; :'
    ).stdout
    return {path: paths[path] for path in listed.split("\0") if path in paths}


def _is_home(home: str) -> bool:
    return home.startswith("/") and home not in ("/", "/nonexistent", "/dev/null")


def _times(reader: Reader, paths: tuple[str, ...]) -> tuple[int, dict[str, int]]:
    words = " ".join(map(shlex.quote, paths))
    listed = reader.inspect(f"date +%s\nstat -L -c '%Y %n' -- {words} 2>/dev/null || :").stdout
    first, _, rest = listed.partition("\n")
    rows = (_TIME.fullmatch(line) for line in rest.split("\n"))
    return int(first) if first.isdecimal() else 0, {row[2]: int(row[1]) for row in rows if row}


def _safety(reader: Reader, paths: tuple[str, ...]) -> dict[str, Facts]:
    return safety.parse(reader.inspect(shlex.join(("sh", "-c", safety.READER, "sh", *paths))).stdout)
