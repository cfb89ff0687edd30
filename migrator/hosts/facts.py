"""What is known of a host after one look: its family, programs, accounts, mailboxes, addresses."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from migrator import host_text
from migrator.errors import CommandFailed, MigrateError
from migrator.hosts.base import Reader
from migrator.hosts.inspection import ABILITIES, before, broken, inspection, sections_of

Family = Literal["debian", "redhat"]
Firewall = Literal["nft", "iptables", ""]


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the host's password database."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What one look at a host told.

    `now` is its clock in seconds since the epoch. `source` is the address it sends from toward its peer (""
    where it has no route). `spool` names every file of the mail spool, those of system accounts too. `login`
    is the user that ssh logs in as and `home` that user's folder, whatever sudo makes of it. `openssh` is
    (major, minor), (0, 0) where unknown. `machine` tells this machine from a copy of it: a digest of its machine-id,
    or of when its root file system was made; "" where neither is known. `paths` holds the real paths of
    "sendmail" and "spool". `aes` says whether the processors have instructions for it. `greeting` is what the login
    shell prints before what it is told to run, "" for nothing. `unable` names programs that cannot do what is asked of
    them, or are missing (inspection.ABILITIES).
    """

    family: Family
    os_name: str
    sendmail_version: str
    init: Literal["systemd", "other"]
    firewall: Firewall
    programs: frozenset[str]
    hostname: str
    now: int
    accounts: Mapping[str, Account]
    spool: tuple[str, ...]
    addresses: tuple[str, ...]
    source: str
    cf: str
    paths: Mapping[str, str]
    home: str
    login: str
    openssh: tuple[int, int] = (0, 0)
    machine: str = ""
    ipv6: bool = True
    selinux: bool = False
    processors: int = 1
    aes: bool = False
    mounts: tuple[str, ...] = field(default=(), repr=False)
    greeting: str = ""
    unable: tuple[str, ...] = ()


def look(reader: Reader, *, peer: str, mail_spool: str) -> HostFacts:
    """Look at a host with one command, given the other host's address and this one's mail spool.

    Raises CommandFailed where the look itself fails, MigrateError for a system that is not supported.
    """
    output = reader.inspect(inspection(peer=peer, mail_spool=mail_spool))
    if output.status != 0:
        raise CommandFailed(
            "the host could not be looked at",
            status=output.status,
            host=reader.name,
            expected="the inspecting script ends with 0",
            seen=(output.stderr or output.stdout).strip()[-500:],
            advice="log in by hand and see whether `sh`, `cat` and `getent` work there",
        )
    try:
        facts = parse(output.stdout)
    except MigrateError as error:
        error.host = error.host or reader.name
        raise
    # What a connection cut off already is not in the output any more.
    return replace(facts, greeting=facts.greeting or host_text.stripped(getattr(reader, "greeting", "")))


def parse(text: str) -> HostFacts:
    """Given what the inspecting script printed, return the facts.

    Raises MigrateError where the text is not whole, or names an operating system of neither family.
    """
    sections = sections_of(text)
    accounts = _accounts(sections["accounts"])
    login = host_text.stripped(sections["login"])
    release = _release(sections["os"])
    return HostFacts(
        family=_family(release),
        os_name=release.get("PRETTY_NAME", release.get("NAME", "unknown")),
        sendmail_version=_version(sections["sendmail"]),
        init="systemd" if host_text.stripped(sections["init"]) == "systemd" else "other",
        firewall=_firewall(sections["iptables"], sections["nft"]),
        programs=frozenset(host_text.words(sections["programs"])),
        hostname=host_text.stripped(sections["hostname"]),
        now=_number(sections["now"]),
        accounts=MappingProxyType(accounts),
        spool=tuple(sorted(filter(None, sections["spool"].split("\0")))),
        addresses=_addresses(sections["addresses"]),
        source=_source(sections["route"]),
        cf=sections["cf"],
        paths=MappingProxyType(
            {name: host_text.stripped(sections[f"{name}-path"]) for name in ("sendmail", "spool")}
        ),
        home=accounts[login].home if login in accounts else "/root" if login == "root" else "",
        login=login,
        openssh=_openssh(sections["openssh"]),
        machine=_machine(host_text.stripped(sections["machine"])),
        ipv6=host_text.stripped(sections["ipv6"]) == "yes",
        selinux=host_text.stripped(sections["selinux"]) == "yes",
        processors=_processors(sections["processors"]),
        aes=host_text.stripped(sections["aes"]) == "yes",
        mounts=tuple(host_text.lines(sections["mounts"])),
        greeting=host_text.stripped(before(text)),
        unable=tuple(name for name in host_text.words(sections.get("unable", "")) if name in ABILITIES),
    )


def _machine(text: str) -> str:
    # machine-id(5): not to be shown as it is. A stat that does not know the time of birth says 0 or -.
    if not text or text in ("root made 0", "root made -", "uninitialized"):
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _release(text: str) -> dict[str, str]:
    values = {}
    for line in host_text.lines(text):
        key, equals, value = line.partition("=")
        if equals:
            values[host_text.stripped(key)] = host_text.stripped(value).strip("\"'")
        elif host_text.stripped(line):
            values.setdefault(
                "PRETTY_NAME", host_text.stripped(line)
            )  # /etc/redhat-release of releases before 7
            values.setdefault("ID", host_text.words(line)[0].lower().replace("red", "rhel"))
    return values


def _family(release: Mapping[str, str]) -> Family:
    names = {release.get("ID", ""), *host_text.words(release.get("ID_LIKE", ""))}
    if names & {"debian", "ubuntu", "devuan"}:
        return "debian"
    if names & {"rhel", "fedora", "centos", "rocky", "almalinux", "ol", "scientific"}:
        return "redhat"
    seen = " ".join(f"{key}={release[key]}" for key in ("ID", "ID_LIKE", "PRETTY_NAME") if key in release)
    raise MigrateError(
        "the host's operating system is not supported",
        expected="a system of the Debian or of the Red Hat family in /etc/os-release",
        seen=seen or "no /etc/os-release that says what it is",
        advice="move this host by hand, or from a host of one of the two families",
    )


def _version(text: str) -> str:
    found = re.match(r"Version (\S+)", text, re.ASCII)
    return found.group(1) if found else ""


def _firewall(iptables: str, nft: str) -> Firewall:
    # Rules of both tools hold at once, so the one in use keeps the administrator's picture whole.
    has_iptables, has_nft = _usable(iptables), _usable(nft)
    if has_iptables and (not has_nft or re.search(r"^-A ", iptables, re.MULTILINE)):
        return "iptables"
    return "nft" if has_nft else ""


def _usable(listing: str) -> bool:
    return listing.rstrip("\n").endswith("usable")


def _number(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,15}\s*", text, re.ASCII):
        raise broken("the host's clock could not be read")
    return int(text)


def _accounts(text: str) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    for line in host_text.lines(text):
        fields = line.split(":")
        if len(fields) == 7 and all(re.fullmatch(r"\d{1,10}", part, re.ASCII) for part in fields[2:4]):
            # The first line of a name is the one that counts, as for getpwnam.
            accounts.setdefault(
                fields[0], Account(fields[0], int(fields[2]), int(fields[3]), fields[5], fields[6])
            )
    return accounts


def _addresses(text: str) -> tuple[str, ...]:
    found = re.findall(r"\sinet6?\s+([0-9A-Fa-f:.]+)", text, re.ASCII)
    return tuple(dict.fromkeys(address for address in found if _is_address(address)))


def _source(text: str) -> str:
    found = re.search(r"\ssrc\s+(\S+)", text, re.ASCII)
    return found.group(1) if found and _is_address(found.group(1)) else ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _processors(text: str) -> int:
    found = re.fullmatch(r"\s*([1-9]\d{0,4})\s*", text, re.ASCII)
    return int(found[1]) if found else 1


def _openssh(text: str) -> tuple[int, int]:
    found = re.search(r"OpenSSH[_ ](?:for_\w+_)?(\d{1,3})\.(\d{1,3})", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)
