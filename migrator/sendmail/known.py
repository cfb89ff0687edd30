"""The rules by which a host that relays goes on refusing whom it does not know, and the list that they ask.

A host that delivers refuses an unknown user at RCPT; one that relays takes everyone, and bounces to forged senders what
the other host refuses. cf/README ("Local_check_rcpt") gives a place for rules of one's own before all others; what is
known is a map beside them, and accounts are asked of getpwnam (Installation and Operation Guide, 5.9, "user").
Whom only this host knows is answered with 450 until a time that stands in the map, and with 550 from then on: the rules
compare it with `${time}`, which Sendmail sets for each connection since 8.13 (where it is not set, 450 it stays).
A recipient is looked up as virtusertable and the aliases look it up: with its detail, with `+*`, without.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from migrator.sendmail import maps
from migrator.sendmail.maps import Entry, fold
from migrator.sendmail.recipients import mapped_keys
from migrator.sendmail.routes import checked_domain
from migrator.sendmail.text_error import TextError

PATH = "/etc/mail/migrate-known"
"""The list: `@domain` whose users are known, `user@domain` of virtusertable, `name` of an alias."""

RELAYED = "Mail for this domain is handed on"
"""What the address of a probe is answered with (450): only a process that has these rules says so."""

LATER = "This mailbox is being moved, please try again later"
"""What an address is answered with (450) that this host knows and the other one does not."""

UNKNOWN = "User unknown"

RULESET = "SMigrateKnown"
"""By what an .mc tells that it has the rules."""

_UNTIL = "until:"
"""Where the map says, in seconds since 1970, until when the answer is 450."""

_MAPS = """LOCAL_CONFIG
Kmigrateknown @TYPE@ -o @PATH@
Kmigrateuser user -m -a.FOUND
Kmigratetime arith
"""

_BY_KEY = """R< @POLICY@ > $+ < @ $+ >\t\t$: < $(migrateknown $1 @ $2 $: @NONE@ $) > $1 < @ $2 >
R< @NONE@ > $+ + $* < @ $+ >\t$: < $(migrateknown $1 + * @ $3 $: @NONE@ $) > $1 + $2 < @ $3 >
R< @NONE@ > $+ + $* < @ $+ >\t$: < $(migrateknown $1 @ $3 $: @NONE@ $) > $1 + $2 < @ $3 >
R< @NONE@ > $+ + $* < @ $+ >\t$: < $(migrateknown + * @ $3 $: @NONE@ $) > $1 + $2 < @ $3 >
"""

_RULES = (
    """LOCAL_RULESETS
SMigrateKnown
R$*\t\t\t$: $>canonify $1
R$* < @ $+ . >\t\t$: $1 < @ $2 >
R$- < @ $+ >\t\t$: $(dequote $1 $) < @ $2 >
R$+ < @ $+ >\t\t$: < $(migrateknown @ $2 $: NO $) > $1 < @ $2 >
"""
    + _BY_KEY.replace("@POLICY@", "KEYS").replace("@NONE@", "-")
    + _BY_KEY.replace("@POLICY@", "NAMES").replace("@NONE@", "?")
    + f"""R< ? > $+ < @ $+ >\t$: < $(migrateknown $1 $: ? $) > $1 < @ $2 >
R< ? > $+ + $* < @ $+ >\t$: < $(migrateknown $1 + * $: ? $) > $1 + $2 < @ $3 >
R< ? > $+ + $* < @ $+ >\t$: < $(migrateknown $1 $: ? $) > $1 + $2 < @ $3 >
R< ? > $+ + $* < @ $+ >\t$: < $(migrateuser $1 $: ? $) > $1 < @ $3 >
R< ? > $+ < @ $+ >\t$: < $(migrateuser $1 $: ? $) > $1 < @ $2 >
R< ? > $*\t\t$#error $@ 5.1.1 $: "550 {UNKNOWN}"
R< - > $*\t\t$#error $@ 5.1.1 $: "550 {UNKNOWN}"
R< REFUSED > $*\t\t$#error $@ 5.1.1 $: "550 {UNKNOWN}"
R< LATER > $*\t\t$: < LATER $(migrateknown {_UNTIL} $: - $) > $1
R< LATER - > $*\t\t$: < LATER TRUE > $1
R< LATER $+ > $*\t$: < LATER $(migratetime l $@ $&{{time}} $@ $1 $: TRUE $) > $2
R< LATER FALSE > $*\t$#error $@ 5.1.1 $: "550 {UNKNOWN}"
R< LATER $* > $*\t$#error $@ 4.2.1 $: "450 {LATER}"
R< RELAYED > $*\t\t$#error $@ 4.2.1 $: "450 {RELAYED}"
SLocal_check_rcpt
R$*\t\t\t$: $1 $| $>MigrateKnown $1
R$* $| $#$*\t\t$#$2
R$* $| $*\t\t$: $1
"""
)


def rules(map_type: str) -> tuple[str, str]:
    """Given the type of the host's maps ("hash"), return what stands in an .mc for the maps, and for the rules."""
    return _MAPS.replace("@TYPE@", map_type).replace("@PATH@", PATH), _RULES


def table(
    policies: Mapping[str, bool],
    *,
    keys: Iterable[str],
    names: Iterable[str],
    probe: str,
    refused: Collection[str],
    later: Collection[str],
    until: int = 0,
) -> str:
    """Return the list.

    `policies` holds the domains that refuse unknown users: whether aliases and accounts count there besides the keys of
    virtusertable. `keys` (`user@domain`) and `names` are known; of them `refused` are none of this host's, and `later`
    none of the other one's, which are answered for now `until` that time (seconds since 1970; 0: always). `probe` is
    the local part by which the rules are recognised. Raise TextError for what no table can hold.
    """
    entries = [
        Entry(f"@{checked_domain(domain)}", "NAMES" if by_name else "KEYS")
        for domain, by_name in policies.items()
    ]
    entries += [Entry(f"{probe}@{domain}", "RELAYED") for domain in policies]
    for key in (*keys, *names):
        value = "REFUSED" if key in refused else "LATER" if key in later else "OK"
        entries.append(Entry(key, value))
    # A name that only the other host lacks may be an account, and would be found by its account otherwise.
    entries += [Entry(name, "LATER") for name in sorted(set(later) - {one.key for one in entries})]
    if later and until:
        entries.append(Entry(_UNTIL, str(until)))
    return maps.set_entries("", entries)


def taken(text: str, keys: Iterable[str]) -> str:
    """Given a list, return it with these of its addresses and names as known to both hosts."""
    return maps.set_entries(text, [Entry(key, "OK") for key in keys])


def by_name(text: str) -> tuple[str, ...]:
    """Given a list, return the domains in which aliases and accounts count."""
    return tuple(one.key[1:] for one in maps.parse(text) if one.key.startswith("@") and one.value == "NAMES")


def later_of(text: str) -> tuple[str, ...]:
    """Given a list, return the addresses and names that the other host does not know."""
    return tuple(entry.key for entry in maps.parse(text) if entry.value == "LATER")


def policies(text: str) -> frozenset[str]:
    """Given a list, return the domains whose users it holds."""
    return frozenset(entry.key[1:] for entry in maps.parse(text) if entry.key.startswith("@"))


def catch_alls(virtusertable: str) -> dict[str, str]:
    """Given a virtusertable, return what each domain with a catch-all (`@domain`) has for whom no key names."""
    ways: dict[str, str] = {}
    for user, domain, value in mapped_keys(virtusertable):
        if not user:
            ways.setdefault(domain, value)
    return ways


def catch_all_errors(virtusertable: str) -> frozenset[str]:
    """Given a virtusertable, return the domains that refuse everyone without a key of his own (`@domain error:…`)."""
    return frozenset(domain for domain, way in catch_alls(virtusertable).items() if _refuses(way))


def same_users(domain: str, ways: Mapping[str, str]) -> str:
    """Given a domain and the catch-alls, return the domain whose users it has: itself, or the one that it is mapped to.

    "" where its catch-all makes other names of them (`x-%1@other`, a mailbox, two maps in turn): then nobody can list
    whom it knows.
    """
    way = ways.get(domain, "")
    if not way or _refuses(way):
        return domain
    mapped = _MAPPED.fullmatch(way)
    further = ways.get(fold(mapped[1]), "") if mapped else ""
    return fold(mapped[1]) if mapped and (not further or _refuses(further)) else ""


_MAPPED = re.compile(r"%1(?:%[23])?@([^@%]+)")  # with its detail or without (cf/README, "virtusertable")


def _refuses(way: str) -> bool:
    return way.lower().startswith("error:")


def can_be_listed(key: str) -> bool:
    """Given a key, return whether a table can hold it."""
    try:
        maps.checked(key, "OK")
    except TextError:
        return False
    return True
