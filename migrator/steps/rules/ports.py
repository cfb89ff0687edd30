"""Rules about who gets into port 25: by a connection, for neither a rule nor a process says that somebody can."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import HostName
from migrator.hosts.reach import Reached
from migrator.net.firewall import OPEN, PortState
from migrator.steps.common import daemons, port
from migrator.steps.common.at_once import at_once
from migrator.steps.common.reaching import KEPT_OUT, advice, kept_out, reached, words
from migrator.steps.rules.finding import Both, Finding, Look


def reach(both: Both) -> Iterator[Finding]:
    """Fail where the old host does not get into port 25 of the new one: all that it queues would stay with it.

    Warn where that cannot be told, and where the new host does not get into the old one's, which a rollback needs.
    """
    there, back = at_once(lambda: reached(both.context, "old"), lambda: reached(both.context, "new"))
    yield from _way(both.new, "old", there)
    if keeping := kept_out(back):
        text = f"the new host does not get into port 25 of the old one: {words(keeping)}"
        yield both.old.warned("way-back", text, f"a rollback brings mail home that way; {advice('new')}")


def _way(
    look: Look, source: HostName, answers: tuple[Reached, ...], *, again: bool = True
) -> Iterator[Finding]:
    if inside := [one for one in answers if one.greeted]:
        yield look.passed(KEPT_OUT, f"port 25 lets the {source} host in: {inside[0]}")
        return
    if not (keeping := kept_out(answers)):
        if unable := [one for one in answers if one.text]:
            text = f"nobody can tell whether the {source} host gets into port 25: {words((unable[0],))}"
            yield look.warned(KEPT_OUT, text, "try it by hand: `telnet ADDRESS 25` there")
        return
    if closed_by_run(look):
        return
    running = daemons.running(look.reader)
    if not running.listeners:
        text = f"Sendmail does not run, so nobody can tell whether the {source} host gets into port 25"
        yield look.warned(KEPT_OUT, text, "start it before the cutover, and run the check again")
        return
    if again:
        # A port that a cutover which went back had closed may have opened by its timer between the two looks.
        yield from _way(look, source, reached(look.context, source), again=False)
        return
    text = f"the {source} host does not get into port 25: {words(keeping)}"
    yield look.failed(KEPT_OUT, f"{text}; Sendmail there: {daemons.words(running.listeners)}", advice(source))


def closed_by_run(look: Look) -> bool:
    """Return whether the run itself keeps the host's port closed, until the copy is verified."""
    return bool(look.facts.firewall) and port.state(look.context, look.host) != PortState(OPEN)
