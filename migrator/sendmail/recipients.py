"""Which addresses of a host to ask for, so that a route which is made for one user alone is seen.

A domain is no whole: virtusertable, aliases and accounts each may keep one address of it at home. The keys are those of
Sendmail's cf/README ("virtusertable"): `user@domain`, `user+*@domain` and `user++@domain` for any or a non-empty
detail, `@domain` for everyone else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from migrator.sendmail import maps
from migrator.sendmail.verification import askable

DETAIL = "migrate-detail"
"""What stands behind the `+` of an address that is asked for."""


def mapped(table: str, domains: Collection[str], anyone: str) -> tuple[str, ...]:
    """Given a virtusertable and domains, return an address for each of its keys in one of them.

    `anyone` is the local part of whom no table names: it stands for a catch-all.
    """
    wanted = {maps.fold(domain) for domain in domains}
    keys = mapped_keys(table)
    return askable(f"{asked_user(user, anyone)}@{domain}" for user, domain, _ in keys if domain in wanted)


def mapped_keys(table: str) -> Iterator[tuple[str, str, str]]:
    """Given a virtusertable, yield the local part ("" for a catch-all), domain and value of each key, in lower case."""
    for entry in maps.parse(table):
        user, mark, domain = maps.fold(entry.key).rpartition("@")
        if mark:
            yield user, domain, entry.value


def spread(names: Sequence[str], domains: Sequence[str], most: int) -> tuple[str, ...]:
    """Given names that each domain knows, return all of their addresses, or about `most` where they are more.

    Then the names go round, so that each name is asked for in some domain, and each domain is asked for some names.
    """
    if not names or not domains:
        return ()
    each = len(names) if len(names) * len(domains) <= most else max(1, most // len(domains))
    found = [
        f"{names[(first * each + number) % len(names)]}@{domain}"
        for first, domain in enumerate(domains)
        for number in range(min(each, len(names)))
    ]
    if len(domains) * each < len(names):
        found += [f"{name}@{domains[0]}" for name in names]
    return askable(found)


def asked_user(key: str, anyone: str) -> str:
    """Given the local part of a key of virtusertable, return one that it fits; `anyone` stands for a catch-all."""
    user, mark, detail = key.partition("+")
    user = user or anyone
    return f"{user}+{DETAIL if detail in ('*', '+') else detail}" if mark else user
