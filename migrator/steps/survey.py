"""The first look at both hosts, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.errors import Refused
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.configure import read
from migrator.steps.common.recipient import recipient_of
from migrator.steps.relay import refuse_own_name
from migrator.steps.rules import RULES, Level


class Survey(Step):
    """Look at both hosts: reachable, what they run, which programs and accounts they have."""

    name = "survey"
    phase = Phase.PREPARE
    after = ""

    def ready(self, context: Context) -> None:
        """Refuse where a rule of the check fails. Raises Refused with every failing rule's words."""
        failed = [
            finding
            for rule in RULES
            for finding in rule(context)
            if finding.level is Level.FAIL and finding.name not in context.force
        ]
        if failed:
            raise Refused(
                "; ".join(f"{finding.name}: {finding.text}" for finding in failed),
                host=failed[0].host,
                advice=" ".join(finding.advice for finding in failed if finding.advice),
                lifted_by=failed[0].name,
            )

        recipient_of(context)
        refuse_own_name(context, read(context, "old"))

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield nothing: a survey only looks."""
        yield from ()

    def verify(self, context: Context) -> None:
        """Nothing was done, so there is nothing to measure."""
