"""What makes a domain, or one address of it, a host's own: the classes that say so, and the addresses to ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from migrator.change import HostName
from migrator.errors import Refused
from migrator.hosts.base import Reader
from migrator.sendmail import aliases, class_file, recipients
from migrator.steps.base import Context
from migrator.steps.common import ask
from migrator.steps.common.configure import CF, Sources
from migrator.steps.common.words import some

CLASSES = ("w", "VirtHost", "LDAPRoute", "LDAPRouteEquiv")
"""Classes that make a domain the host's own, or send its addresses another way than mailertable (cf/m4/proto.m4).

w: local; VirtHost: what virtusertable maps stays here; LDAPRoute: LDAP says where to. All count before mailertable.
"""

PROBE = "migrate-no-such-user"
"""A local part that no host knows."""

FEW = 200
"""Of how many domains nobody in particular is asked for as well, and how many addresses stand for all of them."""

MOST = 5000
"""How many addresses of names that every domain knows are asked for, besides each key of virtusertable."""


def asked(text: str) -> tuple[str, ...]:
    """Return the classes that a sendmail.cf has rules for."""
    return ("w", "VirtHost", *(name for name in CLASSES[2:] if name in text))


def members(reader: Reader, text: str) -> Mapping[str, frozenset[str]]:
    """Return what Sendmail says of each class now, whatever fills it: lines, files, programs, maps.

    Nothing where there is no sendmail.cf to ask it by.
    """
    return ask.members(reader, asked(text)) if text else {}


def without_domains(domains: Collection[str], sources: Sources) -> dict[str, str]:
    """Return the texts of the files of those classes without the domains."""
    wanted: dict[str, str] = {}
    for file in sources.cf.class_files:
        if file.name in CLASSES and sources.texts.get(file.path) is not None:
            names = wanted.get(file.path, sources.text(file.path))
            wanted[file.path] = class_file.remove_domains(names, domains)
    return wanted


def stuck(
    domains: Collection[str], sources: Sources, found: Mapping[str, Collection[str]]
) -> dict[str, tuple[str, ...]]:
    """Return, by class, the domains that stay in it when its files no longer name them.

    A line of sendmail.cf names them, or something that is no file: a program, a map, LDAP, an interface of the host.
    """
    left: dict[str, tuple[str, ...]] = {}
    for name in CLASSES:
        written = {member.lower() for member in sources.cf.classes.get(name, ())}
        files = [sources.text(file.path) for file in sources.cf.files_of_class(name)]
        fixed = written | (set(found.get(name, ())) - set(class_file.names("\n".join(files))))
        whole = len(name) > 1 and f"$* $={{{name}}}" in sources.text(
            CF
        )  # VIRTUSER_ENTIRE_DOMAIN and its like
        if stay := tuple(one for one in domains if one in fixed or (whole and _below(one, fixed, files))):
            left[name] = stay
    return left


def words(left: Mapping[str, tuple[str, ...]], sources: Sources) -> str:
    """Return what keeps domains, for a person."""
    told = []
    for name, domains in left.items():
        shown = name if len(name) == 1 else f"{{{name}}}"
        lines = {member.lower() for member in sources.cf.classes.get(name, ())}
        if lines & set(domains):
            told.append(f"C{shown} lines name {some(sorted(lines))}")
        if others := [one for one in domains if one not in lines]:
            told.append(f"class {shown} holds {some(others)}, and no file that fills it names them")
    return "; ".join(told)


ADVICE = (
    "take LOCAL_DOMAIN, VIRTUSER_DOMAIN and their like out of sendmail.mc (into the files of use_cw_file and "
    "VIRTUSER_DOMAIN_FILE, say) and rebuild, or give the host another confDOMAIN_NAME"
)


def expect_movable(
    context: Context, host: HostName, sources: Sources, own: str, found: Mapping[str, Collection[str]]
) -> None:
    """Raise Refused where a domain would stay a host's own, whatever its files say.

    `own` is the host's name, `found` the members of the classes.
    """
    domains = context.plan.domains
    left = stuck(domains, sources, found)
    beaten = beaten_by(left, domains, own)
    if beaten:
        raise Refused(
            f"the {host} host cannot stop delivering {some(beaten)} to itself",
            host=host,
            expected="domains that stand in files of class w (local-host-names) and of VIRTUSER_DOMAIN_FILE",
            seen="; ".join(filter(None, (f"its own name is {own}", words(left, sources)))),
            advice=ADVICE,
        )


def beaten_by(left: Mapping[str, Collection[str]], domains: Collection[str], own: str) -> list[str]:
    """Return the domains that stay for one of these reasons, or as a host's own name."""
    all_left = {own}.union(*left.values())
    return [one for one in domains if one in all_left]


def addresses(context: Context, host: HostName, sources: Sources) -> tuple[str, ...]:
    """Return the addresses of the domains to ask for: whom no table names, every key of virtusertable, every alias and
    every account, with a detail where a table maps details."""
    domains = context.plan.domains
    declared = sources.cf.map("virtuser")
    table = sources.text(declared.path.removesuffix(".db")) if declared else ""
    names = dict.fromkeys(
        name
        for path in aliases.files(sources.cf)
        for name in aliases.parse(sources.text(path))
        if not name.startswith("owner-")
    )
    names.update(dict.fromkeys(context.facts(host).accounts))
    keys = recipients.mapped(table, domains, PROBE)
    spread = recipients.spread(tuple(names), domains, MOST)
    # Of thousands one address each tells the way: somebody's whom virtusertable does not name, or nobody's.
    told = {address.partition("@")[2] for address in set(spread) - set(keys)} - set(domains[:FEW])
    return tuple(
        dict.fromkeys(
            (
                *(f"{PROBE}@{domain}" for domain in domains if domain.lower() not in told),
                f"{PROBE}+{recipients.DETAIL}@{domains[0]}",
                *keys,
                *spread,
            )
        )
    )


def some_of(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return at most FEW of the addresses, from all over them."""
    return tuple(addresses[:: -(-len(addresses) // FEW) or 1])


def _below(domain: str, fixed: Collection[str], files: list[str]) -> bool:
    """Return whether a parent of the domain is in the class: it stays there, for it is no domain of the plan."""
    named = set(fixed) | set(class_file.names("\n".join(files)))
    labels = domain.split(".")
    return any(".".join(labels[first:]) in named for first in range(1, len(labels)))
