"""What no program can do for the administrator."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Note, Undo
from migrator.sendmail import known
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import late
from migrator.steps.common.patience import time
from migrator.steps.common.words import some
from migrator.steps.lost.tell import LOST


class Farewell(Step):
    """Say what still has to be done by hand."""

    name = "farewell"
    phase = Phase.FINISH
    after = "remove-key"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield each task as a note, once; a later run asks again about whom the new host did not know."""
        yield from late.learned(context)
        if self.name in context.memory:
            if later := context.memory.get(late.LATER, ""):
                yield Change(f"by hand: {_unknown(context, later)}", Note(), Undo.NOT_NEEDED)
        else:
            tasks = list(_tasks(context))
            for number, task in enumerate(tasks, 1):
                done = {self.name: "said"} if number == len(tasks) else {}
                yield Change(f"by hand: {task}", Note(), Undo.NOT_NEEDED, done)

    def verify(self, context: Context) -> None:
        """Nothing was done, so there is nothing to measure."""

    def again(self, context: Context) -> bool:
        """Return whether the old host still answers somebody for now, whom the new one may know by then."""
        return bool(context.memory.get(late.LATER)) and LOST not in context.memory


def _tasks(context: Context) -> Iterator[str]:
    plan = context.plan
    new, old = " and ".join(plan.new.addresses), " and ".join(plan.old.addresses)
    lost = LOST in context.memory
    if later := context.memory.get(late.LATER, ""):
        yield _unknown(context, later)
    keeping = f"take {old} out of it" if lost else f"keep {old} in it until the old host is off"
    yield f"see that SPF of {some(plan.domains)} names {new}, and {keeping}"
    yield f"see that the reverse record of {new} is {plan.mail_host} (ask whoever gives out the address)"
    yield f"see that TLSA and MTA-STS of {plan.mail_host}, where you have them, fit the new host's certificate"
    if not lost:
        yield "watch the old host's log: if nothing comes to it for a week, no resolver holds the old address any more"
        yield "see `mailq` on the old host: mail from its users to others may still wait there; it goes on trying"
    yield f"tell the users of IMAP and POP the new host, where their programs do not call it {plan.mail_host}"
    when = (
        "see that nobody else is given the old address, and" if lost else "when the old host is switched off,"
    )
    yield f"{when} remove {', '.join(plan.old.addresses)} from /etc/mail/access on the new"


def _unknown(context: Context, later: str) -> str:
    return (
        f"the new host does not know {later}, whom the old one answers with 450 (and with 550 from "
        f"{time(context.plan.cutover.late_mail)} after the switch on): make them there and run this again, or write OK "
        f"for them into {known.PATH} on the old host and build its map anew"
    )
