"""Sparing one host the limits that the other sets against strangers: all late mail comes from its one address.

Nothing is taken away with that: what the access map says of each address is looked up first as Sendmail looks it up,
and whether a host may relay through the other is asked of the live rules (`sendmail -bt`, Relay_ok) before and after.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address

from migrator import host_text
from migrator.change import Change, HostName
from migrator.errors import Refused, VerifyFailed
from migrator.hosts.base import Reader
from migrator.hosts.derived import Derived
from migrator.sendmail import effective, maps, mc, routes
from migrator.sendmail.maps import Entry
from migrator.sendmail.text_error import TextError
from migrator.steps.base import Context
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import ACCESS, MC, Sources, change, read

_MARK = "migrate-name"


def spared(
    context: Context, host: HostName, addresses: tuple[str, ...], *, edited: Collection[Derived] | None = None
) -> Iterator[Change]:
    """Yield the change of a host's access map that exempts addresses from rate, connection and blocklist checks.

    `edited` is what `configure.change` takes. Raises Refused where a line of the map refuses the addresses.
    """
    sources, names = _looked(context, host, addresses)
    _expect_let_in(host, sources, addresses, names)
    text = sources.text(MC)
    if sources.cf.map("access") is None:
        text = mc.ensure_feature(text, "access_db")
    path = sources.map_path("access", ACCESS)
    wanted = {MC: text, path: _exempting(sources.text(path), addresses, names)}
    found = change(
        *(context, host, f"spare {' and '.join(addresses)} the limits of the {host} host", sources, wanted),
        edited=edited,
    )
    if found:
        relays = relaying(context.reader(host), addresses, names)
        before = " ".join(f"{address}={'yes' if may else 'no'}" for address, may in relays.items())
        yield replace(found, remember={**found.remember, **({_key(host): before} if before else {})})


def expect_let_in(context: Context, host: HostName, addresses: tuple[str, ...]) -> None:
    """Raise Refused where a line of a host's access map refuses connections of one of the addresses."""
    sources, names = _looked(context, host, addresses)
    _expect_let_in(host, sources, addresses, names)


def expect_spared(context: Context, host: HostName, addresses: tuple[str, ...]) -> None:
    """Read the map anew, and ask the rules who may relay. Raises VerifyFailed where an entry is missing, or a right."""
    sources, names = _looked(context, host, addresses)
    path = sources.map_path("access", ACCESS)
    text = sources.text(path)
    refusing = effective.barriers(text, addresses, names)
    if sources.cf.map("access") is None or refusing or _exempting(text, addresses, names) != text:
        raise VerifyFailed(
            f"the {host} host's access map does not exempt the {'old' if host == 'new' else 'new'} host",
            host=host,
            expected=f"entries for {' and '.join(addresses)} in {path}",
            seen=_lines(refusing) or "some are missing, or access_db is not configured",
            advice="see who else edits this file",
        )
    _expect_same_rights(context, host, addresses, names)


def client_names(reader: Reader, addresses: Collection[str]) -> dict[str, str]:
    """Return the names that a host finds for addresses; one that has none, or none that is a name, is left out."""
    output = reader.inspect(names_script(addresses))
    asked = {str(ip_address(address)): address for address in addresses}
    found = {}
    for line in output.stdout.split("\n"):
        words = line.split(" ")
        if len(words) == 3 and words[0] == _MARK and words[1] in asked and words[2]:
            try:
                found[asked[words[1]]] = routes.checked_domain(words[2].rstrip("."))
            except TextError:
                continue
    return found


def names_script(addresses: Collection[str]) -> str:
    """Given addresses, return the POSIX sh text that prints the name which a host finds for each of them."""
    checked = shlex.join(str(ip_address(address)) for address in addresses)
    return (
        'limit() { if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }\n'
        f"for each in {checked}; do\n"
        f'    printf \'{_MARK} %s %s\\n\' "$each" "$(limit 8 getent hosts "$each" | awk \'NR == 1 {{ print $2 }}\')"\n'
        "done\nexit 0\n"
    )


def relaying(reader: Reader, addresses: Collection[str], names: Mapping[str, str]) -> dict[str, bool]:
    """Return of each address whether the host's rules let it relay, by their files; nothing where they do not tell.

    The rules take an address in the form that Sendmail's build writes; both forms of IPv6 are asked, and one that may
    is enough. Temporary failures of the DNS count as no.
    """
    asked = [(address, form) for address in addresses for form in routes.address_keys(address)]
    lines = [line for address, form in asked for line in _question(form, names.get(address, ""))]
    output = reader.read("sendmail", "-bt", stdin="\n".join([*lines, ""]))
    answers = re.findall(r"^(?:> )*Relay_ok +returns: (.*)$", output.stdout, re.MULTILINE)
    if len(answers) != len(asked):
        return {}
    found: dict[str, bool] = {}
    for (address, _form), answer in zip(asked, answers, strict=True):
        found[address] = found.get(address, False) or answer.strip() == "RELAY"
    return found


def _question(form: str, name: str) -> tuple[str, ...]:
    macros = {
        "client_addr": form,
        "client_name": name or f"[{form}]",
        "client_resolve": "OK" if name else "FAIL",
    }
    return (*(f".D{{{macro}}}{value}" for macro, value in macros.items()), "Relay_ok x")


def _looked(context: Context, host: HostName, addresses: tuple[str, ...]) -> tuple[Sources, dict[str, str]]:
    return at_once(lambda: read(context, host), lambda: client_names(context.reader(host), addresses))


def _expect_let_in(
    host: HostName, sources: Sources, addresses: tuple[str, ...], names: Mapping[str, str]
) -> None:
    path = sources.map_path("access", ACCESS)
    if sources.cf.map("access") is not None and (
        refusing := effective.barriers(sources.text(path), addresses, names)
    ):
        other = "old" if host == "new" else "new"
        raise Refused(
            f"the {host} host's access map refuses the {other} one, whose late mail has to come in",
            host=host,
            expected=f"no line, or OK or RELAY, counts in {path} for {' and '.join(addresses)}",
            seen=_lines(refusing),
            advice=cure(path, addresses),
        )


def cure(path: str, addresses: Collection[str]) -> str:
    """Return what to do about a line that refuses these addresses."""
    entries = " and ".join(f"Connect:{routes.address_keys(address)[0]} OK" for address in addresses)
    return (
        f"take the line out of {path}, or, where it is about others, add {entries} (RELAY in place of OK where it may "
        "relay to elsewhere; a name is looked up before an address), and run make -C /etc/mail"
    )


def _expect_same_rights(
    context: Context, host: HostName, addresses: tuple[str, ...], names: Mapping[str, str]
) -> None:
    words = [word.partition("=") for word in host_text.words(context.memory.get(_key(host), ""))]
    before = {address: may == "yes" for address, _, may in words}
    now = relaying(context.reader(host), addresses, names) if before else {}
    if other := [address for address, may in before.items() if address in now and now[address] != may]:
        raise VerifyFailed(
            f"{' and '.join(other)} has other rights on the {host} host than before it was spared its limits",
            host=host,
            expected=f"may relay: {context.memory[_key(host)]}",
            seen=", ".join(f"{address}={'yes' if now[address] else 'no'}" for address in other),
            advice="see the lines of access for it, with and without Connect:, and `sendmail -bt` with Relay_ok",
        )


def _key(host: HostName) -> str:
    return f"spared.{host}.relays"


def _lines(entries: Collection[Entry]) -> str:
    return "\n".join(f"{entry.key} {entry.value}" for entry in entries)


def _exempting(text: str, addresses: tuple[str, ...], names: Mapping[str, str]) -> str:
    for address in addresses:
        for entry in effective.missing(text, address, names.get(address, "")):
            text = maps.set_entry(text, entry.key, entry.value)
    return text
