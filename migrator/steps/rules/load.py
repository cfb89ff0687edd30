"""Rules about load: Sendmail holds back by itself when a host is busy, and closes its own port beyond that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from migrator import host_text
from migrator.hosts.facts import HostFacts
from migrator.steps.rules.finding import Both, Finding, Look

_WHAT = {
    "RefuseLA": "closes its port 25",
    "QueueLA": "only queues what comes in",
    "DelayLA": "keeps each client waiting",
}
_FOR_EACH_PROCESSOR = {"RefuseLA": 12, "QueueLA": 8, "DelayLA": 0}


def limits(facts: HostFacts) -> Mapping[str, int]:
    """Return the loads from which on a host's Sendmail holds back, by option; 0: never.

    Where an option is not set it is 12 for RefuseLA and 8 for QueueLA for each processor (Installation and Operation
    Guide, 5.6); DaemonPortOptions may lower one for a single port.
    """
    found = {name: each * facts.processors for name, each in _FOR_EACH_PROCESSOR.items()}
    for name in found:
        if written := re.findall(rf"^O {name}=\s*([0-9]{{1,6}})", facts.cf, re.MULTILINE):
            found[name] = int(written[-1])
        ports = re.findall(
            rf"^O DaemonPortOptions=.*\b{name}=([0-9]{{1,6}})", facts.cf, re.MULTILINE | re.IGNORECASE
        )
        if lower := [int(one) for one in ports if int(one)]:
            found[name] = min([*lower, *filter(None, [found[name]])])
    return found


def load(both: Both) -> Iterator[Finding]:
    """Compare each host's load, and sync.max_load, with the loads at which its Sendmail holds back."""
    for look in (both.old, both.new):
        own = limits(look.facts)
        text = look.reader.read("cat", "/proc/loadavg").stdout
        if not re.match(r"[0-9]{1,6}\.[0-9]", text):
            continue
        now = float(host_text.words(text)[0])
        shown = ", ".join(f"{name} {limit or 'none'}" for name, limit in own.items())
        reached = next((name for name in _WHAT if own[name] and now >= own[name]), "")
        advice = "see what loads the host (top), and wait until it falls; or raise the limit in sendmail.mc"
        does = f"Sendmail {_WHAT.get(reached, '')} from {own.get(reached)} on"
        told = f"the load average is {now:g}, and {does} ({shown})"
        if reached == "RefuseLA":
            yield look.failed("load", told, advice)
        elif reached:
            yield look.warned("load", told, advice)
        else:
            yield look.passed("load", f"the load average is {now:g} ({shown})")
    yield from _max_load(both.old)


def _max_load(look: Look) -> Iterator[Finding]:
    planned = look.context.plan.copying.max_load
    below = [limit for limit in limits(look.facts).values() if limit]
    if planned and below and planned >= min(below):
        text = f"sync.max_load is {planned:g}, and Sendmail holds back from {min(below)} on, by the copy's own load"
        yield look.warned("max-load", text, "leave it out: the copy then keeps below what Sendmail bears")
