"""[new.sendmail]: what the tools do to the new host before mail is copied to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from migrator.plan import places, values
from migrator.plan.tables import Faults, Table

_GROUP = values.matching("ffdhe[0-9]{4}", "a group of RFC 7919, as ffdhe3072")
_ITEM = values.matching(
    "[a-z][a-z-]{0,39}(=.{1,200})?", "an item of `migrate sendmail harden`, with =VALUE or without"
)
_USER = values.matching(r"[^\0-\x1f\x7f]{1,200}", "the name of a user")
_MECHANISM = values.matching("[A-Z0-9][A-Z0-9_-]{0,19}", "the name of a SASL mechanism in upper case")


@dataclass(frozen=True, slots=True)
class SmarthostPlan:
    """By which server the host sends mail for elsewhere; user "" for no login, the password in a file."""

    server: str
    port: int = 587
    user: str = ""
    password_file: Path | None = None
    mechanisms: tuple[str, ...] = ("PLAIN",)
    plaintext: bool = False


@dataclass(frozen=True, slots=True)
class RewritePlan:
    """Whose senders leave with public addresses; `table` is a CSV, None for every account."""

    domains: tuple[str, ...]
    table: Path | None = None


@dataclass(frozen=True, slots=True)
class SendmailPlan:
    """How the new host's Sendmail is set up. `dh` names a group of RFC 7919, `harden` items ("all": every one)."""

    dh: str = ""
    harden: tuple[str, ...] = ()
    blocklists: tuple[str, ...] = ()
    smarthost: SmarthostPlan | None = None
    rewrite: RewritePlan | None = None


def sendmail(table: Table, folder: Path, domains: tuple[str, ...], faults: Faults) -> SendmailPlan:
    """Given [new.sendmail], the plan's folder and the domains that move, return how Sendmail is set up."""
    items = values.list_of(_ITEM)
    return SendmailPlan(
        dh=table.value("dh", _GROUP, ""),
        harden=table.value("harden", items, ()),
        blocklists=table.value("blocklists", values.list_of(places.domain), ()),
        smarthost=_smarthost(table.table("smarthost"), folder, faults) if table.has("smarthost") else None,
        rewrite=_rewrite(table.table("rewrite"), folder, domains) if table.has("rewrite") else None,
    )


def _smarthost(table: Table, folder: Path, faults: Faults) -> SmarthostPlan:
    defaults = SmarthostPlan("")
    found = SmarthostPlan(
        server=table.required("server", places.domain, ""),
        port=table.value("port", values.number(1, 65535), defaults.port),
        user=table.value("user", _USER, defaults.user),
        password_file=table.value("password_file", values.operator_file(folder), None),
        mechanisms=table.value("mechanisms", values.list_of(_MECHANISM), defaults.mechanisms),
        plaintext=table.value("plaintext", values.boolean, defaults.plaintext),
    )
    if bool(found.user) != bool(found.password_file):
        faults.add(table.dotted("password_file"), "user and password_file belong together")
    return found


def _rewrite(table: Table, folder: Path, domains: tuple[str, ...]) -> RewritePlan:
    return RewritePlan(
        table.value("domains", values.list_of(places.domain), domains),
        table.value("table", values.operator_file(folder), None),
    )
