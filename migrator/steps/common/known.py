"""Whom a host knows that is about to relay: it goes on refusing everyone else, as it did while it delivered."""

from __future__ import annotations

import re
from collections.abc import Mapping

from migrator.change import HostName
from migrator.sendmail import aliases, known, maps, mc, recipients
from migrator.sendmail.cf import FILE_TYPES, Configuration
from migrator.sendmail.verification import askable
from migrator.steps.base import Context
from migrator.steps.common import ask
from migrator.steps.common.configure import MC, Sources
from migrator.steps.common.locality import PROBE

_TABLE = re.compile(r"(-\S+\s+)*((hash|btree|dbm|cdb|lmdb|files|text|implicit):)?(-\S+\s+)*/\S+")


def wanted(context: Context, host: HostName, other: HostName, sources: Sources, text: str) -> dict[str, str]:
    """Return the list of whom a host knows, and its .mc (given as it is to be so far) with the rules that ask it.

    A domain that took everyone so far (a catch-all, LUSER_RELAY, a mailer that knows no users) goes on doing so; so
    does one whose catch-all makes other names of its users, and all of them where users cannot be listed. A list that
    has the domains already stays as it is: it was made before they left, and nobody could make it now; one of other
    domains is added to. Nothing where no domain refuses anybody.
    """
    listed = sources.text(known.PATH)
    if not known.policies(listed) & set(context.plan.domains):
        listed = maps.set_entries(listed, maps.parse(_listed(context, host, other, sources)))
    if not listed:
        return {}
    declared = sources.cf.map("access") or sources.cf.map("mailertable") or sources.cf.map("virtuser")
    usual = declared.type if declared and declared.type in FILE_TYPES - {"text"} else "hash"
    # Rules of an earlier version stay as they are: both together would be defined twice.
    ruled = text if known.RULESET in text else mc.ensure_rules(text, *known.rules(usual))
    return {known.PATH: listed, MC: ruled}


def _listed(context: Context, host: HostName, other: HostName, sources: Sources) -> str:
    domains = context.plan.domains
    if not _can_be_listed(sources.cf):
        return ""
    declared = sources.cf.map("virtuser")
    table = sources.text(declared.path.removesuffix(".db")) if declared else ""
    ways = known.catch_alls(table)
    keys = _keys(table, {domain: known.same_users(domain, ways) for domain in domains})
    names = [
        name
        for path in aliases.files(sources.cf)
        for name in aliases.parse(sources.text(path))
        if known.can_be_listed(name)
    ]
    accounts = context.facts(host).accounts
    here = ask.refused(
        context.reader(host), [*(f"{PROBE}@{one}" for one in domains), *filter(None, keys.values())]
    )
    closed = [one for one in domains if f"{PROBE}@{one}" in here and known.same_users(one, ways)]
    if not closed:
        return ""
    by_key = known.catch_all_errors(table)
    by_name = {one: known.same_users(one, ways) not in by_key for one in closed}
    # A domain that refuses whom virtusertable does not name tells nothing of an alias or an account.
    named = next((one for one in closed if by_name[one]), "")
    asked = {name: f"{name}@{named}" for name in (*names, *accounts) if named}
    there = ask.refused(context.reader(other), [*asked.values(), *filter(None, keys.values())])
    refused = {key for key, address in keys.items() if address in here}
    later = {key for key, address in keys.items() if address in there and address not in here}
    later |= {name for name, address in asked.items() if address.lower() in there}
    # A time of this machine's clock: an hour that it is wrong by is an hour more or less.
    until = int((context.now() + context.plan.cutover.late_mail).timestamp())
    return known.table(
        by_name, keys=keys, names=names, probe=PROBE, refused=refused, later=later, until=until
    )


def _keys(table: str, ways: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of virtusertable in the domains but the catch-alls, each with an address that it fits.

    `ways` says of each domain whose users it has ("" for none that can be told): those keys count in it as well. ""
    stands for an address that cannot be asked about. `user++` (a detail that is not empty) is taken for `user+*`.
    """
    users: dict[str, dict[str, None]] = {}
    for user, domain, _ in recipients.mapped_keys(table):
        if user:
            users.setdefault(domain, {})[user] = None
    found = {}
    for domain, way in ways.items():
        for user in (*users.get(domain, ()), *users.get(way, ())):
            key = f"{re.sub(r'[+][+]$', '+*', user)}@{domain}"
            if known.can_be_listed(key):
                address = askable((f"{recipients.asked_user(user, PROBE)}@{domain}",))
                found[key] = address[0] if address else ""
    return found


def _can_be_listed(cf: Configuration) -> bool:
    """Return whether aliases stand in files alone, and no user database (`UserDatabaseSpec`) knows more users."""
    value = cf.option("AliasFile")
    parts = [part.strip() for part in value.split(",")] if value else []
    return all(_TABLE.fullmatch(part) for part in parts) and not cf.option("UserDatabaseSpec")
