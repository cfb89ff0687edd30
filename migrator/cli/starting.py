"""`init`: a plan to fill in, or one filled in from what both hosts and the DNS say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from migrator.errors import DnsError, UsageError
from migrator.hosts.base import Reader
from migrator.plan.template import TEMPLATE, write_template

Values = Mapping[str, str | list[str]]
_NAMES = "/etc/mail/local-host-names"
_EMPTY = re.compile(r'(?P<key>[a-z_]+) = (?:""|\[\])(?P<rest> *)')


def write_plan(path: Path, *, old: str, new: str) -> list[str]:
    """Given where the plan goes, and how ssh reaches both hosts ("": not looked at), write it.

    Return the dotted keys that were filled in. Raises UsageError where something is there already, where only
    one host is named or is none; HostError where a host cannot be reached.
    """
    if not old and not new:
        write_template(path)
        return []
    if not (old and new):
        raise UsageError("Both hosts are looked at, or none", advice="give --old and --new, or neither")
    if path.exists():
        raise UsageError(f"{path} exists, and is left as it is", advice="name another file")
    from migrator.cli.wiring import reached
    from migrator.net.exchangers import exchangers

    try:
        with reached(old, new) as (old_host, addresses, hostname):
            values = {
                **{"old.ssh": old, "old.address": addresses["old"]},
                **{"new.ssh": new, "new.address": addresses["new"]},
                **found(old_host, hostname, exchangers),
            }
    except ValueError as error:
        raise UsageError(f"--old or --new is no ssh destination: {error}") from None
    write_template(path)
    path.write_text(fill(TEMPLATE, values), encoding="utf-8")
    return sorted(values)


def found(old: Reader, hostname: str, mail_exchangers: Callable[[str], tuple[str, ...]]) -> Values:
    """Given the old host, its own name, and what tells the MX of a domain, return what the plan can know of it."""
    from migrator.sendmail.class_file import names

    listed = [name for name in names(old.read_file(_NAMES) or "") if _is_domain(name)]
    domains = [name for name in dict.fromkeys(listed) if name != hostname.lower()]
    if not domains:
        return {"migration.mail_host": hostname}
    try:
        exchanger = next(iter(mail_exchangers(domains[0])), hostname)
    except DnsError:
        exchanger = hostname
    name = re.sub("[^a-z0-9]+", "-", domains[0]).strip("-")[:40]
    return {"migration.name": name, "migration.domains": domains, "migration.mail_host": exchanger}


def fill(template: str, values: Values) -> str:
    """Given a template of a plan and values by dotted key, return it with the empty keys among them filled in."""
    table, lines = "", []
    for line in template.split("\n"):
        header = re.match(r"\[([a-z0-9.]+)\]", line)
        table = header[1] if header else table
        empty = _EMPTY.match(line)
        value = values.get(f"{table}.{empty['key']}") if empty else None
        if empty and value:
            comment = line[empty.end() :]
            line = f"{empty['key']} = {json.dumps(value, ensure_ascii=False)}".ljust(37) + f" {comment}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _is_domain(name: str) -> bool:
    return bool(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name)) and not name.startswith("localhost")
