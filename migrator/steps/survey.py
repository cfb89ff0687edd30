"""The first look at both hosts, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrator.change import Change
from migrator.errors import Refused, sentences
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import claim
from migrator.steps.common.configure import read
from migrator.steps.common.recipient import recipient_of
from migrator.steps.common.relaying import refuse_own_name
from migrator.steps.rules import RULES, Level, identity
from migrator.steps.rules.finding import Finding, look_at_both


class Survey(Step):
    """Look at both hosts: reachable, what they run, which programs and accounts they have."""

    name = "survey"
    phase = Phase.PREPARE
    after = ""

    def ready(self, context: Context) -> None:
        """Refuse where a rule of the check fails. Raises Refused with every failing rule's words."""
        _expect_none_failed(context, (finding for rule in RULES for finding in rule(context)))
        recipient_of(context)
        refuse_own_name(context, "old", read(context, "old"))

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield a mark on each host, by which a run with another journal sees that it is not alone."""
        yield from claim.claims(context)

    def verify(self, context: Context) -> None:
        """The marks failed where another run was quicker: there is nothing else to measure."""

    def resumed(self, context: Context) -> None:
        """Raise Refused where a host is another machine now, or another run has marked it."""
        _expect_same(context)

    def before_rollback(self, context: Context) -> None:
        """Raise Refused where a host is another machine now, or another run has marked it."""
        _expect_same(context)


def _expect_same(context: Context) -> None:
    both = look_at_both(context)
    _expect_none_failed(context, (*identity.machines(both), *identity.runs(both)))


def _expect_none_failed(context: Context, findings: Iterable[Finding]) -> None:
    failed = [one for one in findings if one.level is Level.FAIL and one.name not in context.force]
    if failed:
        raise Refused(
            "; ".join(f"{finding.name}: {finding.text}" for finding in failed),
            host=failed[0].host,
            seen="\n".join(finding.detail for finding in failed if finding.detail) or None,
            advice=sentences(finding.advice for finding in failed),
            lifted_by=failed[0].name,
        )
