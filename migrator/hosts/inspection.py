"""The one script that looks at a host, and the sections of what it prints."""

from __future__ import annotations

import ipaddress
import re
import secrets
import shlex

from migrator.errors import MigrateError

PROGRAMS = (
    *("rsync", "make", "m4", "makemap", "newaliases", "sendmail", "mailq", "procmail", "dovecot", "doveadm"),
    *("ssh", "ssh-keygen", "ssh-keyscan", "sudo", "systemctl", "systemd-run", "service", "invoke-rc.d"),
    *("flock", "setsid", "timeout", "base64", "sha256sum", "find", "xargs", "stat", "readlink", "restorecon"),
    *("ip", "ps", "ss", "fuser", "nft", "iptables", "ip6tables", "iptables-restore", "ip6tables-restore"),
    *("apache2ctl", "apachectl", "httpd", "nginx", "curl", "python3", "perl"),
)
"""The programs whose presence `HostFacts.programs` tells."""

ABILITIES = {
    "rsync": (
        "rsync --ignore-missing-args --info=progress2 --version",
        "rsync does not know --ignore-missing-args and --info: 3.1 (2013) and newer do",
    ),
    "find": (
        "find / -maxdepth 0 -newerct @0 -printf '%C@ %i'",
        "find does not know -newerct and -printf: that of GNU does (findutils 4.3.3 and newer)",
    ),
    "stat": ("stat -c '%U:%G %a %s' /", "stat does not know -c: that of GNU coreutils does"),
    "readlink": ("readlink -f /", "readlink does not know -f: that of GNU coreutils does"),
    "timeout": ("timeout 5 true", "there is no timeout: GNU coreutils 7.0 and newer bring it"),
    "flock": ("flock -s -w 1 9 9</dev/null", "flock does not know -w: that of util-linux does"),
    "xargs": ("xargs -0 true </dev/null", "xargs does not know -0: that of GNU findutils does"),
    "cksum": ("cksum /dev/null", "there is no cksum: GNU coreutils bring it"),
}
"""By a program, the command that ends with 0 where it can do what the scripts ask of it, and what it lacks else."""

_MARK = "migrate-facts-"
_BEGINNING = re.compile(rf"^({_MARK}[0-9a-f]{{32}})\n", re.MULTILINE)


def inspection(*, peer: str, mail_spool: str) -> str:
    """Given the other host's address and the mail spool, return the POSIX sh script that looks at a host.

    It changes nothing. Sections are parted by a random mark, so no content can pass for one. Raises
    ValueError where `peer` is no address.
    """
    route = shlex.quote(str(ipaddress.ip_address(peer)))
    return _SCRIPT.format(
        mark=_MARK + secrets.token_hex(16),
        peer=route,
        spool=shlex.quote(mail_spool),
        programs=" ".join(PROGRAMS),
        abilities="".join(
            f"{test} >/dev/null 2>&1 || echo {name}\n" for name, (test, _) in ABILITIES.items()
        ),
    )


_SCRIPT = r"""LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; export PATH
limit() {{ if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }}
section() {{ printf '\n%s %s\n' {mark} "$1"; }}
printf '%s\n' {mark}
section os; cat /etc/os-release 2>/dev/null || cat /etc/redhat-release 2>/dev/null
section sendmail; limit 80 sendmail -d0.1 -bt </dev/null 2>/dev/null | head -n 1
section init; if [ -d /run/systemd/system ]; then echo systemd; else echo other; fi
section iptables; limit 10 iptables -S 2>/dev/null && echo usable
section nft; limit 10 nft list ruleset 2>/dev/null && echo usable
section programs; for each in {programs}; do command -v "$each" >/dev/null 2>&1 && echo "$each"; done
section hostname; limit 10 hostname -f 2>/dev/null || hostname
section now; date +%s
section accounts; getent passwd 2>/dev/null || cat /etc/passwd
section spool
if cd {spool} 2>/dev/null; then
    for each in * .[!.]* ..?*; do
        if [ -e "$each" ] || [ -L "$each" ]; then printf '%s\000' "$each"; fi
    done
    cd /
fi
section addresses; ip -o addr show scope global 2>/dev/null
section route; ip -o route get {peer} 2>/dev/null
section cf; cat /etc/mail/sendmail.cf 2>/dev/null
section sendmail-path; readlink -f "$(command -v sendmail)" 2>/dev/null
section spool-path; readlink -f {spool} 2>/dev/null
section machine
if [ -s /etc/machine-id ]; then head -n 1 /etc/machine-id; else stat -c 'root made %W' / 2>/dev/null; fi
section login; printf '%s\n' "${{SUDO_USER:-$(id -un)}}"
section openssh; ssh -V 2>&1
section processors; getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo
section aes; grep -Eiq '^(flags|features)[[:space:]]*:.* aes( |$)' /proc/cpuinfo && echo yes
section ipv6; if [ -s /proc/net/if_inet6 ]; then echo yes; fi
section selinux; if [ -e /sys/fs/selinux/enforce ]; then echo yes; fi
section mounts; cat /proc/mounts 2>/dev/null
further() {{ section "$1"; }}
further unable
{abilities}section end
exit 0
"""


_SECTIONS = tuple(re.findall(r"^section ([a-z0-9-]+)", _SCRIPT, re.MULTILINE))


def sections_of(text: str) -> dict[str, str]:
    """Given what the script printed, return the content of each section by its name.

    What stands before the first mark (a talkative login shell) is ignored. Raises MigrateError where the text
    is not whole.
    """
    found = _BEGINNING.search(text)
    if found is None:
        raise broken("the look at the host gave nothing that can be read")
    parts = text[found.end() - 1 :].split(f"\n{found.group(1)} ")[1:]
    sections = {}
    for part in parts:
        name, _, body = part.partition("\n")
        sections[name] = body
    missing = [name for name in _SECTIONS if name not in sections]
    if missing:
        raise broken(f"the look at the host broke off before {missing[0]!r}")
    return sections


def before(text: str) -> str:
    """Given what the script printed, return what came before it: a login shell's."""
    found = _BEGINNING.search(text)
    return text[: found.start()] if found else ""


def broken(message: str) -> MigrateError:
    """Return the error for a look that gave something else than it must."""
    return MigrateError(
        message,
        advice="run the command again; if it stays, log in by hand and see what the shell says",
    )
