"""What makes one of the two hosts hand mail for the domains to the other, and what proves that it does."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import partial

from migrator import host_text
from migrator.change import Change, HostName
from migrator.errors import Refused, SmtpError, VerifyFailed
from migrator.plan import HostPlan
from migrator.sendmail import class_file, maps, mc, routes
from migrator.sendmail.verification import Verdict
from migrator.steps.base import Context
from migrator.steps.common import ask, daemons
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import ACCESS, MAILERTABLE, MC, Reload, Sources, change, read

PROBE = "migrate-no-such-user"
"""A local part that no host knows: a daemon that delivers locally refuses it, one that relays takes it."""


def other(host: HostName) -> HostName:
    """Return "new" for "old", and "old" for "new"."""
    return "new" if host == "old" else "old"


def planned(context: Context, host: HostName) -> HostPlan:
    """Return what the plan says of a host."""
    return context.plan.old if host == "old" else context.plan.new


def relayed(context: Context, host: HostName, key: str, *, reload: Reload) -> Iterator[Change]:
    """Yield two changes of a host: the way to the other one, and then the domains out of class w.

    The way counts for nothing while class w holds the domains. They are undone in the other order, so no process
    ever knows the domains as neither its own nor the other host's. The switch reloads as told, and `key` is what
    the sessions of the daemons before it are remembered as. Raises Refused where the host cannot relay.
    """
    domains = ", ".join(context.plan.domains)
    reader = context.reader(host)
    sources, names, found = at_once(
        lambda: read(context, host), lambda: _own_names(context), lambda: daemons.running(reader)
    )
    _expect_other_names(context, host, sources, names[host])
    way = change(
        context,
        host,
        f"know the way of {domains} to {' and '.join(_target(context, host))} on the {host} host",
        sources,
        _way(context, host, sources, same_name=len(set(names.values())) == 1),
        remember=_generations(context, key, found),
        reload=Reload.NONE if _names_differ(context, sources) else Reload.PLAIN,
    )
    if way:
        yield way
        sources, found = at_once(lambda: read(context, host), lambda: daemons.running(reader))
    switch = change(
        context,
        host,
        f"relay {domains} on the {host} host from now on",
        sources,
        _without_domains(context, sources),
        test=_test(context, host),
        test_shown="\n".join(f"sendmail -bv {PROBE}@{domain}" for domain in context.plan.domains),
        remember=_generations(context, key, found),
        reload=reload,
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
    """Raise VerifyFailed where a host's files do not route every domain to the other host, or are not loaded."""
    _, found = at_once(lambda: expect_route(context, host), lambda: daemons.running(context.reader(host)))
    if found.stale_listeners or not found.listeners:
        raise VerifyFailed(
            f"the daemon that listens on the {host} host has not loaded the new configuration",
            host=host,
            expected="a listening process younger than sendmail.cf",
            seen=daemons.words(found.stale_listeners),
            advice="restart Sendmail there by hand and see that the process changes",
        )


def expect_route(context: Context, host: HostName) -> None:
    """Raise VerifyFailed where the host's files do not route every domain to the other host."""
    plan = context.plan
    hosts = _target(context, host)
    probes = {f"{PROBE}@{domain}": domain for domain in plan.domains}
    reader = context.reader(host)
    found, members = at_once(
        lambda: ask.verdicts(reader, tuple(probes)), lambda: ask.class_members(reader, "w")
    )
    for address, domain in probes.items():
        verdict = found.get(address, Verdict(address, error="nothing"))
        if (verdict.mailer, verdict.hosts) != ("esmtp", hosts):
            raise VerifyFailed(
                f"the {host} host does not relay {domain}",
                host=host,
                expected=f"`sendmail -bv {address}` names mailer esmtp, host {':'.join(hosts)}",
                seen=verdict.error or f"mailer {verdict.mailer}, host {verdict.host}",
                advice="see what else routes this domain: LOCAL_DOMAIN or Cw in sendmail.mc, virtusertable",
            )
    if local := set(plan.domains) & members:
        raise VerifyFailed(
            f"the {host} host still takes {', '.join(sorted(local))} for itself",
            host=host,
            expected="class w (`echo '$=w' | sendmail -bt`) without the domains of the plan",
            seen=f"it holds {', '.join(sorted(local))}",
            advice="remove them from LOCAL_DOMAIN or Cw in sendmail.mc as well: class w beats mailertable",
        )


def expect_live_relay(context: Context, host: HostName) -> None:
    """Ask the daemon that listens. Raises VerifyFailed where it still answers by the rules of before."""
    asked = [f"{PROBE}@{domain}" for domain in context.plan.domains]
    answers = at_once(*(partial(_ask, context, host, recipient) for recipient in asked))
    for recipient, (code, text) in zip(asked, answers, strict=True):
        if not 200 <= code < 300:
            raise VerifyFailed(
                f"the daemon that listens on the {host} host does not relay yet",
                host=host,
                expected=f"RCPT TO:<{recipient}> is answered with 250",
                seen=f"{code} {text}",
                advice="see which process listens on port 25 there, and since when",
            )


def refuse_own_name(context: Context, host: HostName, sources: Sources) -> None:
    """Raise Refused where a domain is the host's own name: that is in class w, whatever the files say."""
    _expect_other_names(context, host, sources, ask.own_name(context.reader(host)))


def _expect_other_names(context: Context, host: HostName, sources: Sources, own: str) -> None:
    written = {name.lower() for name in sources.cf.classes.get("w", ())}
    if beaten := [domain for domain in context.plan.domains if domain in written or domain == own]:
        raise Refused(
            f"the {host} host cannot stop delivering {', '.join(beaten)} to itself",
            host=host,
            expected="domains that stand in a file of class w (local-host-names)",
            seen=f"its own name is {own}; Cw lines name {', '.join(sorted(written))}",
            advice="take LOCAL_DOMAIN out of sendmail.mc and rebuild, or give the host another confDOMAIN_NAME",
        )


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
    table_path = sources.map_path("mailertable", MAILERTABLE)
    access_path = sources.map_path("access", ACCESS)
    table, access = sources.text(table_path), sources.text(access_path)
    for domain in context.plan.domains:
        route = routes.mailertable_entry(domain, _target(context, host))
        table = maps.set_entry(table, route.key, route.value)
        relay = routes.access_relay_entry(domain)
        access = maps.set_entry(access, relay.key, relay.value)
    return {MC: text, table_path: table, access_path: access}


def _without_domains(context: Context, sources: Sources) -> dict[str, str]:
    """Return the texts of the files of class w, and of the domains of virtusertable, without the plan's domains."""
    wanted: dict[str, str] = {}
    for file in sources.cf.class_files:
        if file.name in ("w", "VirtHost") and sources.texts.get(file.path) is not None:
            names = wanted.get(file.path, sources.text(file.path))
            for domain in context.plan.domains:
                names = class_file.remove_domain(names, domain)
            wanted[file.path] = names
    return wanted


def _names_differ(context: Context, sources: Sources) -> bool:
    """Return whether the switch is still to come; it reloads the daemon, so that the way before needs not."""
    return any(sources.texts.get(path) != text for path, text in _without_domains(context, sources).items())


def _generations(context: Context, key: str, found: daemons.Running) -> Mapping[str, str]:
    """Return what to remember of the daemons that are about to reload: the sessions all their children stay in."""
    known = {int(word) for word in host_text.words(context.memory.get(key, ""))} | found.generations
    return {key: " ".join(str(session) for session in sorted(known))}


def _ask(context: Context, host: HostName, recipient: str) -> tuple[int, str]:
    address = planned(context, host).address
    answer = (0, "no answer")
    for _ in range(10):
        try:
            answer = context.mail.recipient(address, sender="", recipient=recipient)
        except SmtpError as error:
            answer = (0, error.seen or error.message)
        if answer[0] >= 500 or 200 <= answer[0] < 300:
            break
        context.sleep(1.0)  # a limit of the daemon (421, 450): it passes
    return answer


def _test(context: Context, host: HostName) -> str:
    """Return the script that proves the rebuilt files before the daemon loads them."""
    lines = []
    for domain in context.plan.domains:
        hosts = ":".join(routes.bracketed(address) for address in _target(context, host))
        # -bv prints the route in lower case.
        address, route = shlex.quote(f"{PROBE}@{domain}"), shlex.quote(f"mailer esmtp, host {hosts.lower()}")
        lines.append(
            f"seen=$(sendmail -bv {address} 2>&1) || :\n"
            f'case $seen in *{route}*) ;; *) printf "sendmail -bv says: %s\\n" "$seen" >&2; exit 1 ;; esac\n'
        )
    return "".join(lines)
