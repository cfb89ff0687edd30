"""Whom mail may be sent to for a test."""

from __future__ import annotations

from migrator.errors import Refused
from migrator.steps.base import Context

_FIRST_PERSON, _NOBODY = 500, 65534
"""User numbers below the first are the system's (older Red Hat: 500, others: 1000); the second is nobody's."""


def recipient_of(context: Context) -> str:
    """Return whom test mail is for: the plan's, else the first mailbox of the spool that a person has.

    Raises Refused where there is none.
    """
    if context.plan.smoke.recipient:
        return context.plan.smoke.recipient
    facts = context.facts("old")
    trees = tuple(tree.source.rstrip("/") + "/" for tree in context.plan.sync)
    at_home = sorted(name for name, account in facts.accounts.items() if account.home.startswith(trees))
    candidates = [facts.accounts[name] for name in (*facts.spool, *at_home) if name in facts.accounts]
    people = [account.name for account in candidates if _FIRST_PERSON <= account.uid < _NOBODY]
    if not people:
        raise Refused(
            "no mailbox was found to send a test message to",
            host="old",
            expected=f"a mailbox of an account in {context.plan.old.mail_spool}",
            seen="none",
            advice="name one in smoke.recipient",
        )
    return f"{people[0]}@{context.plan.domains[0]}"
