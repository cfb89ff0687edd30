"""Whom a host knows that is about to relay: it goes on refusing everyone else, as it did while it delivered."""

from __future__ import annotations

import re

from migrator.change import HostName
from migrator.sendmail import aliases, known, mc, recipients
from migrator.sendmail.cf import FILE_TYPES, Configuration
from migrator.sendmail.verification import askable
from migrator.steps.base import Context
from migrator.steps.common import ask
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import MC, Sources
from migrator.steps.common.locality import PROBE

_TABLE = re.compile(r"(-\S+\s+)*((hash|btree|dbm|cdb|lmdb|files|text|implicit):)?(-\S+\s+)*/\S+")


def wanted(context: Context, host: HostName, other: HostName, sources: Sources, text: str) -> dict[str, str]:
    """Return the list of whom a host knows, and its .mc (given as it is to be so far) with the rules that ask it.

    A domain that took everyone so far (a catch-all, LUSER_RELAY, a mailer that knows no users) goes on doing so; so do
    all of them where users stand somewhere that cannot be listed. A list that is there already stays as it is: it was
    made before the domains left, and nobody could make it now. Nothing where no domain refuses anybody.
    """
    listed = sources.texts.get(known.PATH)
    if listed is None:
        listed = _listed(context, host, other, sources)
    if not listed:
        return {}
    declared = sources.cf.map("access") or sources.cf.map("mailertable") or sources.cf.map("virtuser")
    usual = declared.type if declared and declared.type in FILE_TYPES - {"text"} else "hash"
    return {known.PATH: listed, MC: mc.ensure_rules(text, *known.rules(usual))}


def _listed(context: Context, host: HostName, other: HostName, sources: Sources) -> str:
    domains = context.plan.domains
    if not _can_be_listed(sources.cf):
        return ""
    declared = sources.cf.map("virtuser")
    table = sources.text(declared.path.removesuffix(".db")) if declared else ""
    keys = _keys(table, set(domains))
    names = [
        name
        for path in aliases.files(sources.cf)
        for name in aliases.parse(sources.text(path))
        if askable((f"{name}@{domains[0]}",))
    ]
    accounts = context.facts(host).accounts
    asked = [f"{name}@{domains[0]}" for name in dict.fromkeys((*names, *accounts))]
    here, there = at_once(
        lambda: ask.refused(context.reader(host), [*(f"{PROBE}@{one}" for one in domains), *keys.values()]),
        lambda: ask.refused(context.reader(other), [*asked, *keys.values()]),
    )
    closed = [domain for domain in domains if f"{PROBE}@{domain}" in here]
    if not closed:
        return ""
    mapped = known.catch_all_errors(table)
    refused = {key for key, address in keys.items() if address in here}
    later = {key for key, address in keys.items() if address in there and address not in here}
    later |= {name for name in (*names, *accounts) if f"{name}@{domains[0]}".lower() in there}
    return known.table(
        {domain: domain not in mapped for domain in closed},
        keys=keys,
        names=names,
        probe=PROBE,
        refused=refused,
        later=later,
    )


def _keys(table: str, domains: set[str]) -> dict[str, str]:
    """Return the keys of virtusertable in the domains but the catch-alls, each with an address that it fits.

    `user++` (a detail that is not empty) is taken for `user+*`.
    """
    found = {}
    for user, domain, _ in recipients.mapped_keys(table):
        address = f"{recipients.asked_user(user, PROBE)}@{domain}"
        if user and domain in domains and askable((address,)):
            found[f"{re.sub(r'[+][+]$', '+*', user)}@{domain}"] = address
    return found


def _can_be_listed(cf: Configuration) -> bool:
    """Return whether aliases stand in files alone, and no user database (`UserDatabaseSpec`) knows more users."""
    value = cf.option("AliasFile")
    parts = [part.strip() for part in value.split(",")] if value else []
    return all(_TABLE.fullmatch(part) for part in parts) and not cf.option("UserDatabaseSpec")
