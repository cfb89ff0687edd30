"""The tables of a plan, one builder each: from a table under examination to its shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from migrator.plan import places, values
from migrator.plan.endpoint import parse_endpoint
from migrator.plan.shapes import (
    CutoverPlan,
    DnsPlan,
    HostPlan,
    LexiconPlan,
    Rfc2136Plan,
    SmokePlan,
    WebmailPlan,
)
from migrator.plan.tables import Faults, Table

_HOST_KEY = values.matching(
    r"SHA256:[A-Za-z0-9+/]{43}", "a fingerprint SHA256:… of 43 characters, as ssh-keygen -l prints it"
)
_KEY_NAME = values.matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}", "the name of a key")
_VARIABLE = values.matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")
_PROVIDER = values.matching(r"[a-z0-9][a-z0-9_-]{0,39}", "the name of a provider")
_ALGORITHMS = ("hmac-sha256", "hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1")


def host(table: Table, folder: Path, faults: Faults) -> HostPlan:
    """Given [old] or [new] and the plan's folder, return that host."""
    ssh = table.required("ssh", values.ssh_destination, "")
    defaults = HostPlan(ssh, ())
    file = values.operator_file(folder)
    return HostPlan(
        ssh=ssh,
        addresses=table.value("address", places.addresses, ()) or _default_address(table, ssh, faults),
        identity_file=table.value("identity_file", file, None),
        known_hosts=table.value("known_hosts", file, defaults.known_hosts),
        host_key=table.value("host_key", _HOST_KEY, defaults.host_key),
        sudo=table.value("sudo", values.boolean, defaults.sudo),
        mail_spool=table.value("mail_spool", _spool, defaults.mail_spool),
    )


def _spool(value: object) -> str:
    return places.folder(places.target(value))


def _default_address(table: Table, ssh: str, faults: Faults) -> tuple[str, ...]:
    """Return the ssh host where it is an address; a name is not looked up: nothing is contacted here."""
    if table.has("address") or not ssh:
        return ()
    destination = parse_endpoint(ssh)
    if not destination.is_address:
        reason = f"is missing: {destination.host} is a name, so give the address of its port 25"
        faults.add(table.dotted("address"), reason)
        return ()
    try:
        return places.addresses(destination.host)
    except ValueError as error:
        faults.add(table.dotted("ssh"), str(error))
        return ()


def check_hosts_differ(old: HostPlan, new: HostPlan, faults: Faults) -> None:
    """Add a fault where both hosts are one."""
    if old.ssh and new.ssh:
        here, there = old.endpoint, new.endpoint
        if (here.host.lower(), here.port or 22) == (there.host.lower(), there.port or 22):
            faults.add("new.ssh", "is the old host: there would be nothing to move")
    if shared := set(old.addresses) & set(new.addresses):
        faults.add("new.address", f"{', '.join(sorted(shared))} is an address of the old host as well")


def dns(table: Table, folder: Path, faults: Faults) -> DnsPlan:
    """Given [dns] and the plan's folder, return how the records move."""
    defaults = DnsPlan()
    servers = values.list_of(places.server)
    found = DnsPlan(
        ttl=table.value("ttl", values.duration("1s", "7d"), defaults.ttl),
        lead=table.value("lead", values.duration("0s", "30d"), defaults.lead),
        nameservers=table.value("nameservers", servers, defaults.nameservers),
        resolvers=table.value("resolvers", servers, defaults.resolvers),
        update=table.value(
            "update", values.choice("manual", "rfc2136", "lexicon", "command"), defaults.update
        ),
        restore_ttl=table.value("restore_ttl", values.duration("1s", "7d"), defaults.restore_ttl),
        command=table.value("command", _command(folder), defaults.command),
        rfc2136=_rfc2136(table.table("rfc2136"), folder, faults) if table.has("rfc2136") else None,
        lexicon=_lexicon(table.table("lexicon")) if table.has("lexicon") else None,
    )
    _check_update(table, found, faults)
    return found


def _check_update(table: Table, dns: DnsPlan, faults: Faults) -> None:
    """Whatever `update` names needs its own key or table."""
    if dns.update != "manual" and not getattr(dns, dns.update):
        key = table.dotted(dns.update)
        if not faults.concern(key):
            faults.add(key, f'is missing: update = "{dns.update}" needs it')


def _command(folder: Path) -> Callable[[object], tuple[str, ...]]:
    def parse(value: object) -> tuple[str, ...]:
        words = values.list_of(values.text)(value)
        if not words or not words[0].startswith(("/", "~", "./", "../")):
            raise ValueError('has to begin with the path of a program, such as "/usr/local/bin/move-record"')
        return (str(values.operator_file(folder)(words[0])), *words[1:])

    return parse


def _rfc2136(table: Table, folder: Path, faults: Faults) -> Rfc2136Plan:
    defaults = Rfc2136Plan("", "")
    if table.has("key_file") == table.has("key_env"):
        faults.add(table.dotted("key_file"), "exactly one of key_file and key_env says where the secret is")
    return Rfc2136Plan(
        server=table.required("server", _name_server, ""),
        port=table.value("port", values.number(1, 65535), defaults.port),
        key_name=table.required("key_name", _KEY_NAME, ""),
        key_algorithm=table.value("key_algorithm", values.choice(*_ALGORITHMS), defaults.key_algorithm),
        key_file=table.value("key_file", values.operator_file(folder), None),
        key_env=table.value("key_env", _VARIABLE, ""),
    )


def _name_server(value: object) -> str:
    place = places.server(value)
    if place.startswith("[") or place.count(":") == 1:
        raise ValueError("is a host or an address alone: its port stands in the key port, and no brackets")
    return place


def _lexicon(table: Table) -> LexiconPlan:
    return LexiconPlan(table.required("provider", _PROVIDER, ""))


def cutover(table: Table) -> CutoverPlan:
    """Given [cutover], return how mail moves."""
    defaults = CutoverPlan()
    return CutoverPlan(
        strategy=table.value("strategy", values.choice("hold", "firewall"), defaults.strategy),
        window=table.value("window", values.window, defaults.window),
        max_closed=table.value("max_closed", values.duration("10s", "1h"), defaults.max_closed),
        budget=table.value("budget", values.duration("1s", "1d"), defaults.budget),
        overrun=table.value("overrun", values.decimal(1, 100), defaults.overrun),
        late_mail=table.value("late_mail", values.duration("0s", "5d"), defaults.late_mail),
    )


def smoke(table: Table, domains: tuple[str, ...], faults: Faults) -> SmokePlan:
    """Given [smoke] and the domains that move, return who writes to whom."""
    recipient = table.value("recipient", places.mailbox, "")
    name = recipient.rpartition("@")[2]
    if name and domains and name not in domains:
        faults.add(
            table.dotted("recipient"), f"{name} is none of migration.domains: this mail would not move"
        )
    sender = table.value("sender", places.mailbox, "")
    return SmokePlan(recipient, sender or f"postmaster@{domains[0]}" if domains else sender)


def webmail(table: Table, faults: Faults) -> WebmailPlan:
    """Given [webmail], return from where to where the visitors go."""
    old_url = table.required("old_url", values.url, "")
    new_url = table.required("new_url", values.url, "")
    if old_url and old_url == new_url:
        faults.add(table.dotted("new_url"), "is the old address: visitors would go round in circles")
    return WebmailPlan(old_url, new_url)
