"""Rules about what a rebuild would change: what Sendmail reads is held against what its sources make."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import HostName
from migrator.hosts.derived import Derived
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.common import derived as common
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import ACCESS, MAILERTABLE, MC
from migrator.steps.rules.finding import Both, Finding, Level, Look

_MAPS: dict[HostName, dict[str, str]] = {
    "old": {"access": ACCESS, "mailertable": MAILERTABLE},
    "new": {"access": ACCESS},
}
"""The maps that a run writes into on each host, with their usual sources."""


def derived(both: Both) -> Iterator[Finding]:
    """Fail where a rebuild would drop what somebody put into sendmail.cf or a map; warn of what only a later one would.

    Of a run that has begun, what was made anew by --force is as it was told then.
    """
    looks = (both.old, both.new)
    found = at_once(*(lambda look=look: common.look(both.context, look.host) for look in looks))
    for look, edited in zip(looks, found, strict=True):
        sources = _written(look)
        for one in edited:
            yield _finding(look, one, remade=common.remade(one, sources))
        if not edited:
            yield look.passed("derived", "sendmail.cf and the maps are what their sources make")


def _finding(look: Look, one: Derived, *, remade: bool) -> Finding:
    name = common.word_of(one.kind) if one.kind != "fault" else "derived"
    text = common.headline(one)
    if not remade:
        text = f"{one.path} is not what {one.source} makes"
    lifted = not remade or (one.kind != "fault" and common.forced(look.context, look.host, name))
    level = Level.WARN if lifted else Level.FAIL
    return Finding(name, level, text, common.advice(one), look.host, one.difference)


def _written(look: Look) -> set[str]:
    """Return the sources that a run writes on a host."""
    cf = parse_cf(look.facts.cf)
    declared = {name: cf.map(name) for name in _MAPS[look.host]}
    maps = {
        (found.path if found and found.path else _MAPS[look.host][name]).removesuffix(".db")
        for name, found in declared.items()
    }
    return {MC, *maps}
