"""What makes one of the two hosts hand mail for the domains to the other, and what proves that it does."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from migrator import host_text
from migrator.change import Change, HostName
from migrator.errors import SmtpError, VerifyFailed
from migrator.plan import HostPlan
from migrator.sendmail import known as known_rules
from migrator.sendmail import maps, mc, routes, verification
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.base import Context
from migrator.steps.common import ask, daemons, derived, known, locality, port
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import ACCESS, MAILERTABLE, MC, Reload, Sources, change, read
from migrator.steps.common.locality import PROBE
from migrator.steps.common.words import some


def other(host: HostName) -> HostName:
    """Return "new" for "old", and "old" for "new"."""
    return "new" if host == "old" else "old"


def planned(context: Context, host: HostName) -> HostPlan:
    """Return what the plan says of a host."""
    return context.plan.old if host == "old" else context.plan.new


__all__ = [
    "PROBE",
    "expect_live_relay",
    "expect_relay",
    "expect_route",
    "later_word",
    "other",
    "planned",
    "refuse_own_name",
    "relayed",
    "sources_of",
]


def relayed(context: Context, host: HostName, key: str, *, reload: Reload) -> Iterator[Change]:
    """Yield two changes of a host: the way to the other one, and then the domains out of class w.

    The way counts for nothing while class w holds the domains. They are undone in the other order, so no process
    ever knows the domains as neither its own nor the other host's. The switch reloads as told, and `key` is what
    the sessions of the daemons before it are remembered as. Raises Refused where the host cannot relay.
    """
    domains = some(context.plan.domains)
    reader = context.reader(host)
    (sources, edited), names, found, members = at_once(
        lambda: at_once(lambda: read(context, host), lambda: derived.look(context, host)),
        lambda: _own_names(context),
        lambda: daemons.running(reader),
        lambda: locality.members(reader, context.facts(host).cf),
    )
    locality.expect_movable(context, host, sources, names[host], members)
    texts = _way(context, host, sources, same_name=len(set(names.values())) == 1)
    way = change(
        context,
        host,
        f"know the way of {domains} to {' and '.join(_target(context, host))} on the {host} host",
        sources,
        texts,
        remember={**_generations(context, key, found), **_later(texts, key)},
        reload=Reload.NONE if _names_differ(context, sources) else Reload.PLAIN,
        edited=edited,
    )
    if way:
        yield way
        edited = ()  # all of it was made by this change just now
        sources, found = at_once(lambda: read(context, host), lambda: daemons.running(reader))
    switch = change(
        context,
        host,
        f"relay {domains} on the {host} host from now on",
        sources,
        locality.without_domains(context.plan.domains, sources),
        test=_test(context, host, sources),
        test_shown=_test_shown(context.plan.domains),
        remember=_generations(context, key, found),
        reload=reload,
        edited=edited,
    )
    if switch:
        yield switch


def sources_of(context: Context, host: HostName) -> tuple[str, ...]:
    """Return every address that a host's connections may come from."""
    facts = context.facts(host)
    return tuple(
        dict.fromkeys(filter(None, (*planned(context, host).addresses, facts.source, *facts.addresses)))
    )


def expect_relay(context: Context, host: HostName) -> None:
    """Raise VerifyFailed where a host's files do not route the domains to the other host, or are not loaded.

    While mail waits no more is asked than tells that the files are those that were proved, address by address, before
    they were loaded (`relayed`); `expect_route` asks for all once more.
    """
    _, found = at_once(
        lambda: expect_route(context, host, least=True), lambda: daemons.running(context.reader(host))
    )
    if found.stale_listeners or not found.listeners:
        raise VerifyFailed(
            f"the daemon that listens on the {host} host has not loaded the new configuration",
            host=host,
            expected="a listening process younger than sendmail.cf",
            seen=daemons.words(found.stale_listeners),
            advice="restart Sendmail there by hand and see that the process changes",
        )


def expect_route(context: Context, host: HostName, *, least: bool = False) -> None:
    """Raise VerifyFailed where the host's files do not route every address of the domains to the other host.

    With `least`, some of the addresses stand for all of them.
    """
    plan = context.plan
    hosts = _target(context, host)
    reader = context.reader(host)
    sources = read(context, host)
    every = locality.addresses(context, host, sources)
    asked = locality.some_of(every) if least else every
    astray, members = at_once(
        lambda: ask.astray(reader, asked, hosts), lambda: ask.class_members(reader, "w")
    )
    for verdict in astray:
        raise VerifyFailed(
            f"the {host} host does not relay {_shown(verdict.address)}",
            host=host,
            expected=f"`sendmail -bv {verdict.address}` names mailer esmtp, host {':'.join(hosts)}",
            seen=verdict.error or f"mailer {verdict.mailer}, host {verdict.host}"
            if verdict.error or verdict.mailer
            else "an alias, or nothing",
            advice="see what else routes it: LOCAL_DOMAIN, VIRTUSER_DOMAIN or Cw in sendmail.mc, virtusertable",
        )
    if local := sorted(set(plan.domains) & members):
        raise _kept(host, local)


def _shown(address: str) -> str:
    """Return the domain where nobody in particular was asked for, else the address."""
    user, _, domain = address.partition("@")
    return domain if user == PROBE else address


def _kept(host: HostName, local: list[str]) -> VerifyFailed:
    return VerifyFailed(
        f"the {host} host still takes {some(local)} for itself",
        host=host,
        expected="class w (`echo '$=w' | sendmail -bt`) without the domains of the plan",
        seen=f"it holds {some(local)}",
        advice=f"{locality.ADVICE}: class w beats mailertable",
    )


def expect_live_relay(context: Context, host: HostName) -> None:
    """Ask the daemon that listens. Raises VerifyFailed where it still answers by the rules of before."""
    # All are in the files that this process loaded, and those were asked about every one.
    asked = [f"{PROBE}@{domain}" for domain in context.plan.domains[:_SHOWN]]
    answers = at_once(*(partial(_ask, context, host, recipient) for recipient in asked))
    for recipient, (code, text) in zip(asked, answers, strict=True):
        if not (200 <= code < 300 or known_rules.RELAYED in text):
            raise VerifyFailed(
                f"the daemon that listens on the {host} host does not relay yet",
                host=host,
                expected=f"RCPT TO:<{recipient}> is answered with 250, or with 450 {known_rules.RELAYED}",
                seen=f"{code} {text}",
                advice="see which process listens on port 25 there, and since when",
            )


def refuse_own_name(context: Context, host: HostName, sources: Sources) -> None:
    """Raise Refused where a domain would stay the host's own, whatever is written into the files."""
    reader = context.reader(host)
    own, members = at_once(
        lambda: ask.own_name(reader), lambda: locality.members(reader, context.facts(host).cf)
    )
    locality.expect_movable(context, host, sources, own, members)


def _target(context: Context, host: HostName) -> tuple[str, ...]:
    return planned(context, other(host)).addresses


def _own_names(context: Context) -> dict[HostName, str]:
    old, new = at_once(lambda: ask.own_name(context.old), lambda: ask.own_name(context.new))
    return {"old": old, "new": new}


def _way(context: Context, host: HostName, sources: Sources, *, same_name: bool) -> dict[str, str]:
    """Return the texts of .mc, mailertable and access with which the host knows where the domains go."""
    text = mc.ensure_feature(mc.ensure_feature(sources.text(MC), "access_db"), "mailertable")
    if same_name:
        # Sendmail compares the EHLO name of the other side with its own and takes it for a loop (usersmtp.c).
        text = mc.ensure_mailer_flags(text, "ESMTP", "+k")
    text = _limited(context, host, sources, text)
    table_path = sources.map_path("mailertable", MAILERTABLE)
    access_path = sources.map_path("access", ACCESS)
    domains = context.plan.domains
    ways = [routes.mailertable_entry(domain, _target(context, host)) for domain in domains]
    table = maps.set_entries(sources.text(table_path), ways)
    access = maps.set_entries(sources.text(access_path), map(routes.access_relay_entry, domains))
    return {
        MC: text,
        table_path: table,
        access_path: access,
        **known.wanted(context, host, other(host), sources, text),
    }


def _limited(context: Context, host: HostName, sources: Sources, text: str) -> str:
    """Return an .mc with the size of messages limited to what the other host takes with the lines of a relay above.

    What is larger is then refused to its sender, and not bounced after it was taken.
    """
    there = parse_cf(context.facts(other(host)).cf).max_message_size
    here = sources.cf.max_message_size
    limit = there - _ABOVE if there > 2 * _ABOVE else there
    if not there or 0 < here <= limit:
        return text
    return mc.ensure_option(text, "confMAX_MESSAGE_SIZE", str(limit))


_ABOVE = 4096
"""Bytes that a relay may add above a message: its Received line, and what else headers grow by."""


def _later(texts: Mapping[str, str], key: str) -> Mapping[str, str]:
    """Return what to remember of the addresses that this host knows and the other one does not."""
    found = known_rules.later_of(texts.get(known_rules.PATH, ""))
    return {later_word(key): some(found, 50)} if found else {}


def later_word(key: str) -> str:
    """Return what the addresses are remembered as that are answered with 450, given what the sessions are."""
    return key.replace("generations", "later")


def _names_differ(context: Context, sources: Sources) -> bool:
    """Return whether the switch is still to come; it reloads the daemon, so that the way before needs not."""
    wanted = locality.without_domains(context.plan.domains, sources)
    return any(sources.texts.get(path) != text for path, text in wanted.items())


def _generations(context: Context, key: str, found: daemons.Running) -> Mapping[str, str]:
    """Return what to remember of the daemons that are about to reload: the sessions all their children stay in."""
    known = {int(word) for word in host_text.words(context.memory.get(key, ""))} | found.generations
    return {key: " ".join(str(session) for session in sorted(known))}


def _ask(context: Context, host: HostName, recipient: str) -> tuple[int, str]:
    address = planned(context, host).address
    answer = (0, "no answer")
    for tried in range(10):
        try:
            answer = context.mail.recipient(address, sender="", recipient=recipient)
        except SmtpError as error:
            answer = (0, error.seen or error.message)
        if answer[0] >= 500 or 200 <= answer[0] < 300 or known_rules.RELAYED in answer[1]:
            break
        context.still(tried, f"waiting for the {host} host to take {recipient}: {answer[0]} {answer[1]}")
        context.sleep(1.0)  # a limit of the daemon (421, 450): it passes
    # This machine's own address may be what is refused for now: one without a reverse record is, by some hosts.
    told = 200 <= answer[0] < 300 or answer[0] >= 500 or known_rules.RELAYED in answer[1]
    if not told and port.taken_from_other(context, host, recipient, mark=known_rules.RELAYED):
        return 250, "taken from the other host"
    return answer


def _test(context: Context, host: HostName, sources: Sources) -> str:
    """Return the script that proves the rebuilt files before the daemon loads them: for every address of the domains.

    The first one alone comes first, for its words are the plainest.
    """
    asked = verification.askable(locality.addresses(context, host, sources))
    route = routes.as_verified(_target(context, host))
    first, pattern = shlex.quote(asked[0]), shlex.quote(route)
    return (
        f"seen=$(sendmail -bv {first} 2>&1) || :\n"
        f'case $seen in *{pattern}*) ;; *) printf "sendmail -bv says: %s\\n" "$seen" >&2; exit 1 ;; esac\n'
        f'{verification.astray_script(asked, route).rstrip()} >"$work/astray" || {{\n'
        "    echo 'these addresses would not go to the other host (sendmail -bv):' >&2\n"
        '    cat "$work/astray" >&2\n    exit 1\n}\n'
    )


def _test_shown(domains: Sequence[str]) -> str:
    """Return what a person would type to prove the files: for the first domains."""
    lines = [f"sendmail -bv {PROBE}@{domain}" for domain in domains[:_SHOWN]]
    if len(domains) > _SHOWN:
        lines.append(f"# and the same for {len(domains) - _SHOWN} domains more")
    lines.append("# and for every alias, account and key of virtusertable in them")
    return "\n".join(lines)


_SHOWN = 5
