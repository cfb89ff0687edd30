"""Rules about what would keep mail for the domains on a host that has to hand it over."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.errors import Refused
from migrator.steps.common import locality
from migrator.steps.common.configure import CF, Sources, read
from migrator.steps.rules.finding import Both, Finding, Look, some

NAME = "local-domains"


def movable(both: Both) -> Iterator[Finding]:
    """Fail where the old host would go on taking a domain for its own; warn of the new one, which a rollback needs.

    What makes it so stands in no file that the relay can clear: a line of sendmail.cf, a program, a map, its own name.
    """
    for look in (both.old, both.new):
        found = _stuck(look)
        if found is None:
            continue
        domains, words = found
        if not domains:
            yield look.passed(NAME, "no domain is its own but by the files of its classes")
        elif look.host == "old":
            text = f"it cannot stop delivering {some(domains)} to itself: {words}"
            yield look.failed(NAME, text, locality.ADVICE)
        else:
            text = f"a rollback could not make it hand {some(domains)} back to the old host: {words}"
            yield look.warned(NAME, text, locality.ADVICE)


def _stuck(look: Look) -> tuple[list[str], str] | None:
    """Return the domains that stay, and what keeps them; None where nobody can tell."""
    try:
        sources = read(look.context, look.host)
    except Refused:
        return None  # without a sendmail.mc, which another rule tells
    domains = look.context.plan.domains
    left = locality.stuck(domains, sources, locality.members(look.reader, sources.text(CF)))
    own = _own_name(look, sources)
    stay = locality.beaten_by(left, domains, own)
    named = f"its own name is {own}" if own in stay else ""
    return stay, "; ".join(filter(None, (named, locality.words(left, sources))))


def _own_name(look: Look, sources: Sources) -> str:
    written = sources.cf.macros.get("j", "")
    return (written if written and "$" not in written else look.facts.hostname).lower()
