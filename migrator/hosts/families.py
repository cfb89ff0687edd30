"""What differs between the Debian and the Red Hat family: paths, packages, rebuilding, the service, as sh text."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.hosts.facts import Family, HostFacts


@dataclass(frozen=True, slots=True)
class Ways:
    """The paths and owners of one family, and the packages that bring what a migration needs."""

    cf_folder: str
    client_queue: str
    spool: str
    map_owner: str
    services: tuple[str, ...]
    packages: dict[str, str]


_COMMON = {"rsync": "rsync", "make": "make", "m4": "m4", "flock": "util-linux", "setsid": "util-linux"}

WAYS: dict[Family, Ways] = {
    "debian": Ways(
        cf_folder="/usr/share/sendmail/cf",
        client_queue="/var/spool/mqueue-client",
        spool="/var/mail",
        map_owner="smmta:smmsp",
        services=("sendmail",),
        packages={
            **_COMMON,
            **{"sendmail": "sendmail", "makemap": "sendmail-bin", "ssh": "openssh-client"},
            **{"ssh-keygen": "openssh-client", "iptables": "iptables", "nft": "nftables", "ip": "iproute2"},
        },
    ),
    "redhat": Ways(
        cf_folder="/usr/share/sendmail-cf",
        client_queue="/var/spool/clientmqueue",
        spool="/var/spool/mail",
        map_owner="root:root",
        services=("sendmail", "sm-client"),
        packages={
            **_COMMON,
            **{"sendmail": "sendmail", "makemap": "sendmail", "ssh": "openssh-clients"},
            **{"ssh-keygen": "openssh", "iptables": "iptables", "nft": "nftables", "ip": "iproute"},
        },
    ),
}

REBUILD_SHOWN = "make -C /etc/mail"
"""What a person would type in place of `rebuild`."""

_TEST_MC = r"""if [ -e sendmail.mc ]; then
    if ! m4 {prefix}sendmail.mc >/dev/null 2>"$errors" || grep -q '\*\*\* ERROR' "$errors"; then
        echo 'm4 finds fault with /etc/mail/sendmail.mc:' >&2
        cat "$errors" >&2
        exit 1
    fi
fi
"""

_WITH_MAKE = r"""make -C /etc/mail >"$errors" 2>&1 || { cat "$errors" >&2; exit 1; }
if [ -e sendmail.mc ] && [ -n "$(find sendmail.mc -newer sendmail.cf 2>/dev/null)" ]; then
    cat "$errors" >&2
    echo 'make left sendmail.cf older than sendmail.mc' >&2
    exit 1
fi
"""

_WITHOUT_MAKE = r"""if [ -e sendmail.mc ]; then
    cp -p sendmail.cf sendmail.cf.new 2>/dev/null
    m4 {prefix}sendmail.mc >sendmail.cf.new || exit 1
    mv -f sendmail.cf.new sendmail.cf
fi
"""

_MAPS = r"""sed -n 's/^K[^ ]* *\(hash\|btree\|dbm\|cdb\) \(.* \)\{0,1\}\(\/[^ ]*\)$/\1 \3/p' sendmail.cf |
while read -r type map; do
    map=${map%.db}
    if [ ! -f "$map" ]; then continue; fi
    # Where times are whole seconds, a source of the map's own second may have been written after it.
    if [ -e "$map.db" ] && [ -n "$(find "$map.db" -newer "$map")" ]; then continue; fi
    rm -f "$map.migrate.db"
    makemap "$type" "$map.migrate" <"$map" || { rm -f "$map.migrate.db"; exit 1; }
    # Only types that make one file are replaced in one instant; the others are rebuilt in place.
    if [ ! -e "$map.migrate.db" ]; then makemap "$type" "$map" <"$map" || exit 1; continue; fi
    if [ -e "$map.db" ]; then
        chown --reference="$map.db" "$map.migrate.db" && chmod --reference="$map.db" "$map.migrate.db"
    else
        chmod 0640 "$map.migrate.db" && chown OWNER "$map.migrate.db"
    fi && mv -f "$map.migrate.db" "$map.db" || exit 1
done || exit 1
"""

_NEEDED = r"""for program in PROGRAMS; do
    if command -v "${program%:*}" >/dev/null 2>&1; then continue; fi
    echo "the program ${program%:*} is missing: install the package ${program#*:} there" >&2
    exit 1
done
"""

_LOADABLE = r"""found=$(sendmail -bv root </dev/null 2>&1)
case $? in
    # Software, system and configuration of sysexits.h: a daemon ends with them; an address has other codes.
    70|71|78) printf 'Sendmail cannot load the new sendmail.cf: %s\n' "$found" >&2; exit 1 ;;
esac
"""


def rebuild(facts: HostFacts) -> str:
    """Return the sh text that rebuilds sendmail.cf and the maps of /etc/mail from their sources.

    sendmail.mc is tried first, because Debian's make installs what m4 made of a faulty one all the same. Then
    `make` does what the family does; a map that it does not know, or knows from its next run on only, is built by
    makemap with the type that sendmail.cf names. At last Sendmail reads all of it, for no daemon starts with a
    sendmail.cf that has a fault. It exits with 1, and says why, where a part fails.
    """
    ways = WAYS[facts.family]
    prefix = f"-D_CF_DIR_={ways.cf_folder}/ {ways.cf_folder}/m4/cf.m4 "
    included = "if grep -q '^[^#]*include(.*cf\\.m4' sendmail.mc 2>/dev/null; then included=yes; fi\n"
    test = _TEST_MC.format(prefix="$prefix ")
    without = _WITHOUT_MAKE.format(prefix="$prefix ")
    needed = " ".join(f"{program}:{ways.packages[program]}" for program in ("m4", "makemap"))
    return (
        f"(\nset +e\ncd /etc/mail || exit 1\nincluded=no\n{included}"
        f"prefix=; if [ $included = no ]; then prefix={_quoted(prefix)}; fi\n"
        f"{_NEEDED.replace('PROGRAMS', needed)}"
        f"errors=$(mktemp) || exit 1\ntrap 'rm -f \"$errors\"' EXIT\n{test}"
        f"if command -v make >/dev/null 2>&1 && [ -e Makefile ]; then\n{_WITH_MAKE}else\n{without}fi\n"
        f"{_MAPS.replace('OWNER', ways.map_owner)}{_LOADABLE})\n"
    )


def rebuild_maps(facts: HostFacts) -> str:
    """Return the sh text that builds each map of sendmail.cf that is not younger than its source, and nothing else."""
    maps = _MAPS.replace("OWNER", WAYS[facts.family].map_owner)
    return f"(\nset +e\ncd /etc/mail || exit 1\n{maps})\n"


def loadable() -> str:
    """Return the sh text that exits with 1 where no daemon could start with the present sendmail.cf."""
    return f"(\nset +e\n{_LOADABLE})\n"


def service(facts: HostFacts, verb: str) -> str:
    """Return the command that gives Sendmail's service a verb (start, stop, restart) by the host's init system."""
    if facts.init == "systemd" and "systemctl" in facts.programs:
        words = f"systemctl {verb} sendmail"
    elif "service" in facts.programs:
        words = f"service sendmail {verb}"
    else:
        words = f"/etc/init.d/sendmail {verb}"
    # Debian's script waits up to 120 s for a daemon that it cannot stop.
    return f"timeout 200 {words} </dev/null >&2"


def _quoted(text: str) -> str:
    return f"'{text}'"
