"""Whether the one host gets into port 25 of the other, asked by a connection from there."""

from __future__ import annotations

from migrator.change import HostName
from migrator.errors import Refused, VerifyFailed
from migrator.hosts import reach
from migrator.hosts.reach import Reached
from migrator.net.firewall import OPEN, PortState
from migrator.steps.base import Context
from migrator.steps.common import daemons, port
from migrator.steps.common.relaying import other, planned

KEPT_OUT = "port-25"
"""The word of --force that lets a run go on although the old host does not get into the new one's port 25."""

PATIENCE = 60
"""How long somebody may need to get into a port that was opened, in seconds: a daemon starts, a load average falls."""

_EVERY = 2.0


def reached(context: Context, source: HostName, *, recipient: str = "") -> tuple[Reached, ...]:
    """Return what port 25 of the other host answers to `source`, at each of its addresses. No message is sent.

    Given a recipient that one is asked for, too. What cannot be told on `source` is not `told`.
    """
    addresses = planned(context, other(source)).addresses
    name = f"migrate.{context.plan.domains[0]}"
    text = reach.script(addresses, name=name, recipient=recipient)
    return reach.parse(context.reader(source).inspect(text).stdout, addresses)


def kept_out(answers: tuple[Reached, ...]) -> tuple[Reached, ...]:
    """Return what was answered where nobody got in at any address; () where somebody did, or where it is not told.

    One address is enough: Sendmail tries them one after the other, and a host may have no way to one of a family.
    """
    if any(one.greeted for one in answers) or not any(one.told for one in answers):
        return ()
    return answers


def words(answers: tuple[Reached, ...]) -> str:
    """Return the answers for a person."""
    return "; ".join(map(str, answers))


def expect_reached(context: Context, source: HostName, answers: tuple[Reached, ...] | None = None) -> None:
    """Wait until somebody from `source` got into the other host's port 25, no longer than mail may wait.

    `answers` is what was seen just now, where somebody looked already. Raises VerifyFailed with what was seen in
    place of a greeting.
    """
    waited = 0.0  # counted, for a clock can jump
    answers = reached(context, source) if answers is None else answers
    while kept_out(answers):
        if waited >= PATIENCE or (context.deadline is not None and context.now() >= context.deadline):
            raise VerifyFailed(
                f"the {source} host does not get into port 25 of the {other(source)} one",
                host=other(source),
                expected="a greeting (220) to a connection from there",
                seen=f"{words(answers)}; Sendmail there: "
                f"{daemons.words(daemons.running(context.reader(other(source))).listeners)}",
                advice=advice(source),
            )
        context.still(waited + 1, f"waiting for the {source} host to get into port 25: {words(answers)}")
        context.sleep(_EVERY)
        waited += _EVERY
        answers = reached(context, source)


def refuse_kept_out(context: Context) -> None:
    """Raise Refused where the new host's Sendmail runs behind a port that no run closed, and keeps the old host out.

    Before anything of the cutover: what the old host queues would stay with it.
    """
    answers = () if KEPT_OUT in context.force else kept_out(reached(context, "old"))
    if not answers or port.state(context, "new") != PortState(OPEN):
        return
    listeners = daemons.running(context.new).listeners
    # Once more, for its timer may have opened the port between the two looks.
    if listeners and (answers := kept_out(reached(context, "old"))):
        raise Refused(
            "the old host does not get into port 25 of the new one, so no mail was moved",
            host="new",
            expected="a greeting (220) to a connection from there",
            seen=f"{words(answers)}; Sendmail there: {daemons.words(listeners)}",
            advice=advice("old"),
            lifted_by=KEPT_OUT,
        )


def advice(source: HostName) -> str:
    """Return what may keep a host out of the other one's port."""
    target = other(source)
    return (
        f"see what keeps it out: the {target} host's own firewall rules (nft list ruleset, iptables -S), its "
        f"provider's, or what the {source} host's provider lets out; and on the {target} host whether Sendmail's "
        "title says that it rejects connections"
    )
