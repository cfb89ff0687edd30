"""Rules about what a host runs: system, Sendmail's configuration, programs, firewall, clock."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from migrator import host_text
from migrator.hosts.facts import HostFacts
from migrator.hosts.inspection import ABILITIES
from migrator.sendmail.cf import DaemonPort
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.rules.finding import Both, Finding, Look, some

_MC = "/etc/mail/sendmail.mc"
_NEEDED = {
    "old": ("rsync", "m4", "makemap", "flock"),
    "new": ("rsync", "ssh", "ssh-keygen", "m4", "makemap", "flock"),
}
_PACKAGES = {
    "debian": {"makemap": "sendmail-bin", "ssh": "openssh-client", "ssh-keygen": "openssh-client"},
    "redhat": {"makemap": "sendmail", "ssh": "openssh-clients", "ssh-keygen": "openssh"},
}
_COMMON = {
    **{"flock": "util-linux", "setsid": "util-linux", "find": "findutils", "xargs": "findutils"},
    **dict.fromkeys(("stat", "readlink", "timeout", "cksum"), "coreutils"),
}
_OF_FILES = ("hash", "btree", "dbm", "cdb", "text")
_CLOCK = 60  # seconds


def system(both: Both) -> Iterator[Finding]:
    """Say what each host runs; fail where there is no Sendmail."""
    for look in (both.old, both.new):
        facts = look.facts
        if not facts.sendmail_version:
            advice = f"{_install(facts, ['sendmail'])}; is it another mail server than Sendmail?"
            yield look.failed("system", f"{facts.os_name}, and no Sendmail answers", advice)
        else:
            text = f"{facts.os_name}, Sendmail {facts.sendmail_version}, init {facts.init}"
            yield look.passed("system", text)


def configuration(both: Both) -> Iterator[Finding]:
    """Fail where sendmail.mc or sendmail.cf is missing, or where the new host listens to itself alone."""
    for look in (both.old, both.new):
        if look.reader.read_file(_MC) is None:
            advice = (
                "write the .mc that this host's sendmail.cf was made from, rebuild once by hand, and compare"
            )
            yield look.failed("configuration", f"there is no {_MC}", advice)
        elif not look.facts.cf:
            yield look.failed("configuration", "there is no sendmail.cf", "make it: `make -C /etc/mail`")
        elif look.host == "new" and not _listens(look):
            yield look.failed(
                "configuration",
                "Sendmail listens on this host's loopback address alone: nobody else could send to it",
                f"take Addr=127.0.0.1 (and ::1) out of DAEMON_OPTIONS in {_MC}, run make and restart Sendmail",
            )
        else:
            yield look.passed("configuration", "sendmail.mc and sendmail.cf are there")


def maps(both: Both) -> Iterator[Finding]:
    """Fail where a map that the run writes entries into is of a type that is not made of a file on that host."""
    for look, names in ((both.old, ("access", "mailertable")), (both.new, ("access",))):
        declared = [found for name in names if (found := parse_cf(look.facts.cf).map(name))]
        foreign = [f"{one.name} ({one.type})" for one in declared if one.type not in _OF_FILES]
        if foreign:
            advice = f"keep the entries of the run in a file: a {' or '.join(_OF_FILES[:2])} map in {_MC}"
            yield look.failed("maps", f"kept where the run cannot write: {some(foreign)}", advice)
        else:
            shown = some([f"{one.name} is of type {one.type}" for one in declared]) or "none is there yet"
            yield look.passed("maps", shown)


def programs(both: Both) -> Iterator[Finding]:
    """Fail where a program is missing that the run needs there; name the packages that bring it."""
    for look in (both.old, both.new):
        needed = [*_NEEDED[look.host], *([] if look.facts.init == "systemd" else ["setsid"])]
        missing = [name for name in needed if name not in look.facts.programs]
        # That a program is there does not tell that it can do what the scripts ask of it.
        unable = [name for name in look.facts.unable if name not in missing]
        if missing:
            yield look.failed("programs", f"missing: {', '.join(missing)}", _install(look.facts, missing))
        elif unable:
            lacks = "; ".join(ABILITIES[name][1] for name in unable)
            yield look.failed(
                "programs", f"too old, or of another make: {lacks}", _install(look.facts, unable)
            )
        elif "make" not in look.facts.programs:
            text = "make is missing: maps and sendmail.cf are rebuilt by makemap and m4 instead"
            yield look.warned("programs", text, _install(look.facts, ["make"]))
        else:
            yield look.passed("programs", "all that is needed is there")


def login_shell(both: Both) -> Iterator[Finding]:
    """Fail where the old host's login shell prints text, which rsync takes for its protocol; warn of the new one's.

    sshd starts every command by the login shell, and some of those read start-up files then (rsync(1), DIAGNOSTICS).
    """
    for look in (both.old, both.new):
        if not look.facts.greeting:
            yield look.passed("login-shell", "prints nothing of its own")
            continue
        text = f"the login shell of this host prints text before what it is told to run: {_first(look.facts.greeting)}"
        advice = (
            "let its start-up files (.bashrc, .cshrc, .zshenv, config.fish of that user, and those of /etc) print only "
            "where a terminal is: `case $- in *i*) ;; *) return;; esac` goes first"
        )
        if look.host == "old":
            yield look.failed("login-shell", f"{text}; rsync cannot work through it", advice)
        else:
            yield look.warned("login-shell", text, advice)


def _first(text: str) -> str:
    return ascii(host_text.lines(text)[0][:80]) if text else ""


def firewall(both: Both) -> Iterator[Finding]:
    """Fail where port 25 of a host has to be closed for a while and there is no tool for it."""
    closed = (both.old, both.new) if both.context.plan.cutover.strategy == "firewall" else (both.new,)
    for look in closed:
        if look.facts.firewall:
            yield look.passed("firewall", f"port 25 is closed and opened with {look.facts.firewall}")
        else:
            advice = f"{_install(look.facts, ['nftables'])}; in a container, allow it to change its network"
            yield look.failed("firewall", "neither nft nor iptables can be used, to close port 25", advice)


def clock(both: Both) -> Iterator[Finding]:
    """Warn where a host's clock differs from the operator's: logs and waiting times would mislead."""
    for look in (both.old, both.new):
        before = both.context.now().timestamp()
        output = look.reader.read("date", "+%s")
        between = (before + both.context.now().timestamp()) / 2
        if output.status != 0 or not re.fullmatch(r"[0-9]{1,12}\s*", output.stdout):
            yield look.warned("clock", "the clock cannot be read", "see what `date +%s` says there")
        elif abs(int(output.stdout) - between) > _CLOCK:
            ahead = round(int(output.stdout) - between)
            text = f"the clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
            yield look.warned(
                "clock", text, "set it, or let it follow a time server (chrony, systemd-timesyncd)"
            )
        else:
            yield look.passed("clock", "agrees with this machine's")


def _listens(look: Look) -> bool:
    return any(
        port.port.lower() in ("smtp", "25") and not _is_loopback(port)
        for port in parse_cf(look.facts.cf).daemon_ports
    )


def _is_loopback(port: DaemonPort) -> bool:
    address = port.address.strip("[]").lower().removeprefix("ipv6:")
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _install(facts: HostFacts, names: list[str]) -> str:
    packages = {**_COMMON, **_PACKAGES[facts.family]}
    wanted = " ".join(dict.fromkeys(packages.get(name, name) for name in names))
    tool = "apt-get install" if facts.family == "debian" else "yum install"
    return f"install it there: `{tool} {wanted}`"
