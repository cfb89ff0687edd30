"""Whom mail may be sent to for a test."""

from __future__ import annotations

from migrator.errors import Refused
from migrator.steps.base import Context


def recipient_of(context: Context) -> str:
    """Return whom test mail is for: the plan's, else the first mailbox of the spool that a person has.

    Raises Refused where there is none.
    """
    if context.plan.smoke.recipient:
        return context.plan.smoke.recipient
    facts = context.facts("old")
    people = [name for name in facts.spool if name in facts.accounts and facts.accounts[name].uid >= 500]
    if not people:
        raise Refused(
            "no mailbox was found to send a test message to",
            host="old",
            expected=f"a mailbox of an account in {context.plan.old.mail_spool}",
            seen="none",
            advice="name one in smoke.recipient",
        )
    return f"{people[0]}@{context.plan.domains[0]}"
