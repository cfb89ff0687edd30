"""What the cutover would take if it began now, as the steps before it may ask, and the limit that the plan sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from migrator.errors import Refused, StartOver
from migrator.mailstore import arrivals, forest
from migrator.mailstore.forecast import Forecast, parse, predict, shrinking
from migrator.mailstore.orchestration import Cost, Orchestration
from migrator.plan.shapes import Strategy
from migrator.sendmail.processes import Activity
from migrator.steps.base import Context, Question
from migrator.steps.common import daemons
from migrator.steps.common.at_once import at_once
from migrator.steps.common.daemons import Running
from migrator.steps.common.draining import LONGEST, PATIENCE

OVER_BUDGET = "over-budget"
"""The word of --force that lets a cutover begin which is predicted to take longer than cutover.budget."""

PREDICTED = "cutover.predicted."
"""What the predicted seconds are remembered under: of "mail", and of "mailboxes"."""

MOST = 20
"""How many passes before the cutover are made at most, where the plan leaves their number open."""

FRESH = 60
"""Seconds that a prediction holds: what changed since a pass that ended longer ago is copied once more."""

_LOOKS = 3
"""How often a command that does nothing is timed on each host; the quickest counts."""

ORCHESTRATION: Mapping[Strategy, Orchestration] = {
    "hold": Orchestration(
        waiting={
            "relay": Cost(7, 0.75),
            "drain": Cost(3, 0.02),
            "final-copy": Cost(4, 0.2),
            "open-to-old": Cost(3, 2.15),
            "flush": Cost(2, 0.1),  # until the first message has left
        },
        opening={"flush": Cost(3, 0.02), "open-new": Cost(2, 0.08)},
        ahead=0.75,  # new ones are led elsewhere while the relay is loaded
    ),
    "firewall": Orchestration(
        waiting={
            "close-old": Cost(3, 0.05),
            "drain": Cost(4, 0.03),
            "move-dns": Cost(0, 0.05),
            "final-copy": Cost(5, 0.2),
            "relay": Cost(7, 0.7),
            "settle": Cost(7, 0.2),
            "open-new": Cost(4, 2.15),
            "open-old": Cost(2, 0.08),
            "flush": Cost(2, 0.1),
        },
        opening={},
        again=1,  # the settling
    ),
}
"""What each step of a cutover costs beside the copy: its commands in turn, and the seconds that it takes on a machine
of two cores where a command takes none, as its journal tells."""


def forecast(context: Context) -> Forecast | None:
    """Return what a cutover would take that begins now; None where the passes do not tell yet.

    Reads what the new host noted of them, and times a command that does nothing on each host.
    """
    text, here, there, sessions = at_once(
        lambda: context.new.read_file(_notes(context)) or "",
        lambda: _round_trip(context, "new"),
        lambda: _round_trip(context, "old"),
        lambda: _sessions(daemons.running(context.old)),
    )
    return predict(
        parse(text),
        trees=len(context.plan.sync),
        round_trip=(here + there) / 2,
        orchestration=ORCHESTRATION[context.plan.cutover.strategy],
        sessions=sessions,
        together=len(forest.together(dict(enumerate(context.plan.sync)), context.plan.old.mail_spool)),
    )


def converged(context: Context) -> bool:
    """Return whether one more pass before the cutover is not worth it: it fits the budget, or would not be shorter."""
    found = forecast(context)
    if found is None or found.fits(context.plan.cutover.budget):
        return True
    return not shrinking(parse(context.new.read_file(_notes(context)) or ""))


def expect_within_budget(context: Context) -> Forecast | None:
    """Return the forecast, None where the passes tell nothing. Raises Refused where it is beyond cutover.budget."""
    found = forecast(context)
    budget = context.plan.cutover.budget
    if found is None or found.fits(budget) or OVER_BUDGET in context.force:
        return found
    raise Refused(
        f"the cutover would take longer than the plan allows: {found.words(budget)}",
        host="operator",
        expected=f"mailboxes closed for at most {budget.total_seconds():.0f} s (cutover.budget)",
        seen=found.basis(),
        advice="run again when less changes on the old host; or give cutover.budget more, and go on with "
        "--accept-plan-change",
        lifted_by=OVER_BUDGET,
    )


def question(context: Context, last_pass: str) -> Question:
    """Return what is told before it is asked whether mail may move.

    Given what the last pass is remembered as. Raises Refused beyond the budget, StartOver to the step `last_pass` where
    its pass ended so long ago that the prediction would say nothing of now.
    """
    ended = context.memory.get(last_pass)
    age = (context.now() - datetime.fromisoformat(ended)).total_seconds() if ended else 0.0
    if age > FRESH:
        raise StartOver(
            f"the last pass ended {age / 60:,.0f} minutes ago, and what changed since is copied first",
            step=last_pass,
            host="old",
        )
    found = expect_within_budget(context)
    if found is None:
        return Question()
    words = found.words(context.plan.cutover.budget)
    seconds = {"mail": found.mail, "mailboxes": found.mailboxes}
    remember = {PREDICTED + what: f"{value:.1f}" for what, value in seconds.items()}
    return Question(words, found.basis(), {**remember, "cutover.forecast": f"{words}; {found.basis()}"})


def _notes(context: Context) -> str:
    return f"{arrivals.folder(context.plan.name)}/passes"


def _sessions(found: Running) -> float:
    """Return in how many seconds the sessions and deliveries end that are open.

    The oldest has been there for as long as the last one is going to be, where they come and go evenly: seen backwards
    in time, both are the same. Idle ones are not waited for that long.
    """
    longest = {True: PATIENCE, False: LONGEST}
    ages = found.ages().items()
    return max((min(age, longest[one.activity is Activity.IDLE_SESSION]) for one, age in ages), default=0.0)


def _round_trip(context: Context, host: str) -> float:
    """Return the seconds that a command takes which does nothing, the connection being open."""
    found = []
    for _ in range(_LOOKS):
        began = context.now()
        context.reader(host).inspect(":\n")
        found.append((context.now() - began).total_seconds())
    return max(0.0, min(found))
