"""Rules about the plan against the DNS and the operator's machine."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

from migrator.net.resolver import Answer, Outcome
from migrator.plan import Rfc2136Plan
from migrator.plan.flat import duration_text
from migrator.steps.base import Context
from migrator.steps.common import zone
from migrator.steps.rules.finding import Finding, Level, some


def records(context: Context) -> Iterator[Finding]:
    """Look at the mail host's address records: who answers, what they say, and for how long it is cached."""
    answers = context.names.authoritative(context.plan.mail_host)
    good = [answer for answer in answers if answer.error is None]
    idle = zone.idle_troubles(context.plan, answers)
    yield from _servers([answer for answer in answers if answer not in idle], good)
    if idle:
        text = some(list(dict.fromkeys(f"{one.server}: {one.error}" for one in idle)), most=4)
        advice = "nothing of IPv6 moves, so the run goes on; have the provider mend it, for some senders ask for AAAA"
        yield Finding("name-servers", Level.WARN, f"asked for the AAAA record: {text}", advice)
    if any(answer.addresses for answer in good):
        yield from _addresses(context, good)
        yield _ttl(context, good)
    elif good:
        advice = "put the name whose address record moves into migration.mail_host"
        yield Finding("addresses", Level.FAIL, f"{context.plan.mail_host} has no address record", advice)


def window(context: Context) -> Iterator[Finding]:
    """Fail where the maintenance window is over: the run would wait for ever."""
    given = context.plan.cutover.window
    if given is None:
        return
    if given.end <= context.now():
        yield Finding(
            "window", Level.FAIL, f"the window {given} is over", "give a later one in cutover.window"
        )
    elif given.start - context.plan.dns.lead < context.now() and not context.memory:
        text = (
            f"the window {given} may begin before the TTL was low for {duration_text(context.plan.dns.lead)}"
        )
        yield Finding("window", Level.WARN, text, "begin earlier, or give a later window")
    else:
        yield Finding("window", Level.PASS, f"mail moves within {given}")


def update(context: Context) -> Iterator[Finding]:
    """Fail where what is needed to change the records is not at hand on the operator's machine."""
    dns = context.plan.dns
    match dns.update:
        case "rfc2136" if dns.rfc2136:
            complaint = _key_complaint(dns.rfc2136)
        case "command":
            complaint = _program_complaint(dns.command[0])
        case "lexicon":
            complaint = _program_complaint("lexicon")
        case _:
            yield Finding("dns-update", Level.PASS, "records are changed by hand; run says which, and waits")
            return
    if complaint:
        yield Finding("dns-update", Level.FAIL, complaint, "put it there, or correct [dns] in the plan")
    else:
        yield Finding("dns-update", Level.PASS, f"what {dns.update} needs is at hand")


def _servers(answers: Sequence[Answer], good: Sequence[Answer]) -> Iterator[Finding]:
    name = "name-servers"
    for outcome, level in ((True, Level.WARN), (False, Level.FAIL)):
        bad = [one for one in answers if one.error and (one.outcome is Outcome.UNROUTABLE) is outcome]
        if bad:
            text = some(list(dict.fromkeys(f"{one.server}: {one.error}" for one in bad)), most=4)
            advice = "mend the server or the delegation, or name the right servers in dns.nameservers"
            if outcome:
                advice = "give this machine a way there, or name the servers it can ask in dns.nameservers"
            yield Finding(name, level, text, advice)
    if not answers:
        yield Finding(name, Level.FAIL, "no authoritative server was found", "name them in dns.nameservers")
    elif len(good) == len(answers):
        count = len({answer.server for answer in good})
        yield Finding(name, Level.PASS, f"{count} authoritative servers answer")


def _addresses(context: Context, good: Sequence[Answer]) -> Iterator[Finding]:
    plan = context.plan
    spoken: dict[str, set[tuple[str, ...]]] = {}
    for answer in good:
        spoken.setdefault(answer.rdtype, set()).add(answer.addresses)
    differing = [rdtype for rdtype, sets in spoken.items() if len(sets) > 1]
    if differing:
        said = [f"{answer.server} says {' '.join(answer.addresses) or 'nothing'}" for answer in good]
        text = f"the servers contradict each other about {' and '.join(differing)}: {some(said, most=4)}"
        yield Finding("addresses", Level.FAIL, text, "bring them into step first (serial, NOTIFY, transfers)")
        return
    given = {address for answer in good for address in answer.addresses}
    old, new = set(plan.old.addresses), set(plan.new.addresses)
    shown = f"{plan.mail_host} is {' and '.join(sorted(given))}"
    if given <= new:
        level = Level.PASS if context.memory else Level.WARN
        advice = "" if context.memory else "see whether the mail moved already, or old and new are mixed up"
        yield Finding("addresses", level, f"{shown}: the new host", advice)
    elif given - old or old - given:
        odd = sorted((given - old - new) | (old - given))
        text = f"{shown}, and the old host in the plan is {' and '.join(plan.old.addresses)}"
        yield Finding(
            "addresses", Level.WARN, text, f"see that the plan is right about {some(odd or sorted(given))}"
        )
    else:
        yield Finding("addresses", Level.PASS, f"{shown}: the old host")
    if _has_ipv6(given) and not _has_ipv6(new):
        text = f"{plan.mail_host} has an AAAA record, and the new host no IPv6 address in the plan"
        advice = "the record goes away with the move; give new.address an IPv6 address to keep one"
        yield Finding("ipv6", Level.WARN, text, advice)


def _ttl(context: Context, good: Sequence[Answer]) -> Finding:
    dns = context.plan.dns
    highest = max(answer.ttl or 0 for answer in good)
    lowered = int(dns.ttl.total_seconds())
    if highest <= lowered:
        return Finding("ttl", Level.PASS, f"the TTL is {highest} s at most")
    advice = "the step lower-ttl lowers it"
    if dns.update == "manual":
        advice = (
            f"lower it to {lowered} s at the provider now: from then on the {duration_text(dns.lead)} count"
        )
    return Finding("ttl", Level.WARN, f"the TTL is {highest} s, and is to be {lowered} s at most", advice)


def _has_ipv6(addresses: set[str]) -> bool:
    return any(ip_address(address).version == 6 for address in addresses)


def _key_complaint(table: Rfc2136Plan) -> str:
    if table.key_file is None:
        return "" if os.environ.get(table.key_env) else f"the variable {table.key_env} is not set"
    try:
        mode = stat.S_IMODE(table.key_file.stat().st_mode)
    except OSError as error:
        return f"{table.key_file}: {error.strerror}"
    return f"{table.key_file} may be read by others: `chmod 600` it" if mode & 0o077 else ""


def _program_complaint(program: str) -> str:
    if shutil.which(program):
        return ""
    return (
        f"{program} is not there, or not executable"
        if Path(program).is_absolute()
        else f"there is no {program}"
    )
