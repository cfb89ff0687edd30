"""Rules about which machines these are, and which run moves them."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.steps.common import claim
from migrator.steps.common.at_once import at_once
from migrator.steps.rules.finding import Both, Finding

SAME_HOST = "same-host"
"""The word of --force for a machine that was exchanged on purpose."""


def machines(both: Both) -> Iterator[Finding]:
    """Fail where a host is another machine than the one that this run began with, whatever its key says."""
    for look in (both.old, both.new):
        known, seen = both.context.memory.get(claim.machine_key(look.host), ""), look.facts.machine
        if known and seen and known != seen:
            yield look.failed(
                SAME_HOST,
                f"the {look.host} host is another machine than the one this migration began with "
                f"(then {known}, now {seen})",
                "its address and its ssh key are the same: see whether it was installed anew, restored from a copy, "
                "or cloned. What this run did is not on this machine, nor is mail that came in since",
            )
        elif known and seen:
            yield look.passed(SAME_HOST, "the machine that this migration began with")


def runs(both: Both) -> Iterator[Finding]:
    """Fail where a host is marked by another run of this name: two that do not know each other lose mail."""
    mark = claim.mark(both.context)
    marks = at_once(lambda: both.old.reader.read_file(mark), lambda: both.new.reader.read_file(mark))
    for look, text in zip((both.old, both.new), marks, strict=True):
        found = claim.parse(text or "")
        if found is not None and found.run != both.context.run:
            yield look.failed(
                claim.OTHER_RUN,
                f"another migration of the name {both.context.plan.name} is under way: {found.who}",
                "go on with it from there, or undo it there with `migrate rollback`. Where its journal is lost for "
                f"good, remove {mark} from both hosts",
            )
