"""A diagnosis as one page, findings first, or as data for a program."""

from __future__ import annotations

from migrator.cli.toolbox.common import Common
from migrator.cli.toolbox.driving import desk, perform
from migrator.cli.toolbox.typed import checked
from migrator.errors import VerifyFailed
from migrator.report.findings import show
from migrator.sendmail.verification import checked_addresses
from migrator.steps.rules.finding import Level
from migrator.toolbox.delivery import Delivery
from migrator.toolbox.diagnosis import page
from migrator.toolbox.diagnosis.rules import findings
from migrator.toolbox.diagnosis.seen import gather


def diagnosed(common: Common, recipient: str) -> int:
    """Tell what is wrong with a host and what it is, and send a test message where one is wanted; return the exit code.

    Raises UsageError for what is no address, what cannot be looked at, and VerifyFailed for a message that nobody took.
    """
    with checked():
        checked_addresses([recipient] if recipient else [])
    with desk(common) as here:
        context, host = here.tools.context, here.target.host
        seen = gather(context.reader(host), context.facts(host))
        found = [
            {
                "name": one.name,
                "level": one.level.value,
                "host": here.target.shown,
                "text": here.target.words(one.text),
                "advice": one.advice,
            }
            for one in findings(seen)
        ]
        rows = page.rows(seen)
        if common.json:
            here.say("the host was looked at", findings=found, facts=rows)
        else:
            show(found, json=False)
            width = max(map(len, rows))
            here.say("\n".join(["what it is", *(f"{name:{width}}  {words}" for name, words in rows.items())]))
    if recipient:
        perform(common, lambda chosen: Delivery(chosen.host, recipient))
    return VerifyFailed.exit_code if any(one["level"] == Level.FAIL.value for one in found) else 0
