"""The check: every rule that a run would begin with, and some advice beyond, as a list that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from migrator.change import HostName
from migrator.errors import DnsError, MigrateError
from migrator.net.exchangers import exchangers
from migrator.steps.base import Context
from migrator.steps.rules import HOST_RULES, PLAN_RULES
from migrator.steps.rules.finding import Both, Finding, Level, Look

__all__ = ["Finding", "Level", "check"]

_HOSTS: tuple[HostName, HostName] = ("old", "new")
_ASKED_AT_ONCE = 8
"""For how many domains the name servers are asked at a time: each of thousands costs a round trip."""
Exchangers = Callable[[str, Sequence[str]], Sequence[str]]


def check(context: Context, mail_exchangers: Exchangers = exchangers) -> Iterator[Finding]:
    """Given what may be looked at, yield every finding, host by host and rule by rule; raise nothing of migrate's.

    A rule that cannot look is a failure of its own, and the others go on. `mail_exchangers` tells the MX hosts of
    a domain, given the name servers of the plan.
    """
    with ThreadPoolExecutor(2) as pool:
        looked = list(pool.map(partial(_look, context), _HOSTS))
    looks = [look for look in looked if isinstance(look, Look)]
    for host, look in zip(_HOSTS, looked, strict=True):
        reached = Finding("reachable", Level.PASS, "answers, and can be looked at", host=host)
        yield reached if isinstance(look, Look) else _failure("reachable", look, host)
    if len(looks) == len(_HOSTS):
        for host_rule in HOST_RULES:
            yield from _guarded(host_rule.__name__, partial(host_rule, Both(*looks)))
    for plan_rule in PLAN_RULES:
        yield from _guarded(plan_rule.__name__, partial(plan_rule, context))
    yield from _exchangers(context, mail_exchangers)


def _look(context: Context, host: HostName) -> Look | MigrateError:
    try:
        return Look(context, host, context.facts(host))
    except MigrateError as error:
        return error


def _guarded(name: str, rule: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from rule()
    except MigrateError as error:
        yield _failure(name.replace("_", "-"), error, "operator")


def _failure(name: str, error: MigrateError, host: HostName) -> Finding:
    named: dict[str | None, HostName] = {each: each for each in (*_HOSTS, "operator")}
    text = f"{error.message}: {error.seen}" if error.seen else error.message
    return Finding(name, Level.FAIL, text, error.advice or "", named.get(error.host, host))


def _exchangers(context: Context, mail_exchangers: Exchangers) -> Iterator[Finding]:
    """Say of every domain whether its mail goes to the mail host: another one would not be moved by the records."""
    plan = context.plan

    def ask(domain: str) -> Sequence[str] | DnsError:
        try:
            return mail_exchangers(domain, plan.dns.nameservers)
        except DnsError as error:
            return error

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        answers = list(pool.map(ask, plan.domains))
    for domain, found in zip(plan.domains, answers, strict=True):
        if isinstance(found, DnsError):
            yield Finding("mx", Level.WARN, found.message, found.advice or "")
            continue
        shown = f"mail for {domain} goes to {', '.join(found) or 'its own address, having no MX'}"
        if plan.mail_host in found or (not found and domain == plan.mail_host):
            yield Finding("mx", Level.PASS, shown)
        else:
            advice = (
                f"moving the address of {plan.mail_host} does not move this mail: correct the MX or the plan"
            )
            yield Finding("mx", Level.WARN, shown, advice)
