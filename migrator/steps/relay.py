"""The old host hands everything for the domains to the new one instead of delivering it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change
from migrator.errors import Refused, SmtpError, VerifyFailed
from migrator.net.firewall import OPEN, PortState
from migrator.sendmail import class_file, maps, mc, routes
from migrator.sendmail.verification import Verdict
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import ask, daemons, port
from migrator.steps.common.configure import ACCESS, MAILERTABLE, MC, Reload, Sources, change, read
from migrator.steps.common.passes import guard

PROBE = "migrate-no-such-user"
"""A local part that no host knows: a daemon that delivers locally refuses it, one that relays takes it."""


GENERATIONS = "relay.generations"
"""Where the sessions of the daemons before the relay are remembered; what is still in one holds their rules."""


class Relay(Step):
    """Make the old host relay mail for the domains to the new one, by mailertable, without closing its port."""

    name = "relay"
    phase = Phase.CUTOVER
    after = {"hold": "close-new", "firewall": "final-copy"}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield two changes: the way to the new host, which counts for nothing while class w holds the domains, and
        then the domains out of class w. They are undone in the other order, so no process ever knows the domains
        as neither its own nor the new host's.
        """
        domains = ", ".join(context.plan.domains)
        sources = read(context, "old")
        refuse_own_name(context, sources)
        way = change(
            context,
            "old",
            f"know the way of {domains} to {' and '.join(context.plan.new.addresses)} on the old host",
            sources,
            _way(context, sources),
            remember=_generations(context),
            reload=Reload.NONE if _names_differ(context, sources) else Reload.PLAIN,
        )
        if way:
            yield way
            sources = read(context, "old")
        switch = change(
            context,
            "old",
            f"relay {domains} on the old host from now on",
            sources,
            _without_domains(context, sources),
            test=_test(context),
            test_shown="\n".join(f"sendmail -bv {PROBE}@{domain}" for domain in context.plan.domains),
            remember=_generations(context),
            reload=Reload.BRIDGED if context.plan.cutover.strategy == "hold" else Reload.PLAIN,
        )
        if switch:
            yield switch

    def before_rollback(self, context: Context) -> None:
        """Refuse where the new host took mail by itself, for instance because it was rebooted meanwhile."""
        guard(context)

    def verify(self, context: Context) -> None:
        """Prove the relay three times: by -bv, by class w, and by the live daemon. Raises VerifyFailed."""
        expect_route(context)
        _expect_reloaded(context)
        if port.state(context, "old") == PortState(OPEN):
            expect_live_relay(context)


def _way(context: Context, sources: Sources) -> dict[str, str]:
    """Return the texts of .mc, mailertable and access with which the old host knows where the domains go."""
    plan = context.plan
    text = mc.ensure_feature(mc.ensure_feature(sources.text(MC), "access_db"), "mailertable")
    if ask.own_name(context.old) == ask.own_name(context.new):
        # Sendmail compares the EHLO name of the other side with its own and takes it for a loop (usersmtp.c).
        text = mc.ensure_mailer_flags(text, "ESMTP", "+k")
    table_path = sources.map_path("mailertable", MAILERTABLE)
    access_path = sources.map_path("access", ACCESS)
    table, access = sources.text(table_path), sources.text(access_path)
    for domain in plan.domains:
        route = routes.mailertable_entry(domain, plan.new.addresses)
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


def _generations(context: Context) -> dict[str, str]:
    """Return what to remember of the daemons that are about to reload: the sessions all their children stay in."""
    known = {int(word) for word in context.memory.get(GENERATIONS, "").split()}
    known |= daemons.running(context.old).generations
    return {GENERATIONS: " ".join(str(session) for session in sorted(known))}


def expect_route(context: Context) -> None:
    """Raise VerifyFailed where the old host's files do not route every domain to the new host."""
    plan = context.plan
    hosts = plan.new.addresses
    probes = {f"{PROBE}@{domain}": domain for domain in plan.domains}
    found = ask.verdicts(context.old, tuple(probes))
    for address, domain in probes.items():
        verdict = found.get(address, Verdict(address, error="nothing"))
        if (verdict.mailer, verdict.hosts) != ("esmtp", hosts):
            raise VerifyFailed(
                f"the old host does not relay {domain}",
                host="old",
                expected=f"`sendmail -bv {address}` names mailer esmtp, host {':'.join(hosts)}",
                seen=verdict.error or f"mailer {verdict.mailer}, host {verdict.host}",
                advice="see what else routes this domain: LOCAL_DOMAIN or Cw in sendmail.mc, virtusertable",
            )
    local = set(plan.domains) & set(ask.class_members(context.old, "w"))
    if local:
        raise VerifyFailed(
            f"the old host still takes {', '.join(sorted(local))} for itself",
            host="old",
            expected="class w (`echo '$=w' | sendmail -bt`) without the domains of the plan",
            seen=f"it holds {', '.join(sorted(local))}",
            advice="remove them from LOCAL_DOMAIN or Cw in sendmail.mc as well: class w beats mailertable",
        )


def expect_live_relay(context: Context) -> None:
    """Ask the daemon that listens. Raises VerifyFailed where it still answers by the rules of before."""
    for domain in context.plan.domains:
        code, text = _ask(context, f"{PROBE}@{domain}")
        if not 200 <= code < 300:
            raise VerifyFailed(
                "the daemon that listens on the old host does not relay yet",
                host="old",
                expected=f"RCPT TO:<{PROBE}@{domain}> is answered with 250",
                seen=f"{code} {text}",
                advice="see which process listens on port 25 there, and since when",
            )


def _ask(context: Context, recipient: str) -> tuple[int, str]:
    answer = (0, "no answer")
    for _ in range(10):
        try:
            answer = context.mail.recipient(context.plan.old.address, sender="", recipient=recipient)
        except SmtpError as error:
            answer = (0, error.seen or error.message)
        if answer[0] >= 500 or 200 <= answer[0] < 300:
            break
        context.sleep(1.0)  # a limit of the daemon (421, 450): it passes
    return answer


def _expect_reloaded(context: Context) -> None:
    found = daemons.running(context.old)
    if found.stale_listeners or not found.listeners:
        raise VerifyFailed(
            "the daemon that listens on the old host has not loaded the new configuration",
            host="old",
            expected="a listening process younger than sendmail.cf",
            seen=daemons.words(found.stale_listeners),
            advice="restart Sendmail there by hand and see that the process changes",
        )


def refuse_own_name(context: Context, sources: Sources) -> None:
    """Raise Refused where a domain is the old host's own name: that is in class w, whatever the files say."""
    own = ask.own_name(context.old)
    written = {name.lower() for name in sources.cf.classes.get("w", ())}
    if beaten := [domain for domain in context.plan.domains if domain in written or domain == own]:
        raise Refused(
            f"the old host cannot stop delivering {', '.join(beaten)} to itself",
            host="old",
            expected="domains that stand in a file of class w (local-host-names)",
            seen=f"its own name is {own}; Cw lines name {', '.join(sorted(written))}",
            advice="take LOCAL_DOMAIN out of sendmail.mc and rebuild, or give the host another confDOMAIN_NAME",
        )


def _test(context: Context) -> str:
    """Return the script that proves the rebuilt files before the daemon loads them."""
    lines = []
    for domain in context.plan.domains:
        hosts = ":".join(routes.bracketed(address) for address in context.plan.new.addresses)
        # -bv prints the route in lower case.
        address, route = shlex.quote(f"{PROBE}@{domain}"), shlex.quote(f"mailer esmtp, host {hosts.lower()}")
        lines.append(
            f"seen=$(sendmail -bv {address} 2>&1) || :\n"
            f'case $seen in *{route}*) ;; *) printf "sendmail -bv says: %s\\n" "$seen" >&2; exit 1 ;; esac\n'
        )
    return "".join(lines)
