"""A flush tries just what was asked for, and says what left and what stayed."""

from __future__ import annotations

import pytest

from migrator.change import Shell, Undo
from migrator.errors import UsageError
from migrator.toolbox.flush import Flush
from tests.toolbox.stand import Stand, control, dump, waiting

DEAD = "Deferred: Connection refused by mx.else.example."
LOG = """\
Nov 29 12:00:02 mail sm-mta[3]: AA0001: to=<user01@example.test>, relay=local, dsn=2.0.0, stat=Sent
Nov 29 12:00:03 mail sm-mta[3]: AA0003: to=<gone@example.test>, dsn=5.1.1, stat=User unknown
"""


def scripts(tool: Flush, stand: Stand) -> list[str]:
    return [change.do.script for change in stand.look(tool) if isinstance(change.do, Shell)]


@pytest.mark.parametrize(
    "wish", [{}, {"recipient": "a@x.example", "everything": True}, {"domain": "x", "recipient": "y"}]
)
def test_one_choice_is_wanted(wish: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Flush("new", **wish)  # type: ignore[arg-type]


def test_the_client_queue_is_handed_over_first_and_nothing_is_undone() -> None:
    stand = Stand()
    waiting(stand, dump("/q", AA0001=control("a@else.example")), dump("/c", BB0001=control("root")))
    assert scripts(Flush("new", everything=True), stand) == [
        "sendmail -Ac -qf -OMinQueueAge=0 -OQueueLA=1000 -qIBB0001\n",
        "sendmail -qf -OMinQueueAge=0 -OQueueLA=1000 -qIAA0001\n",
    ]
    assert {change.undo for change in stand.look(Flush("new", everything=True))} == {Undo.NOT_NEEDED}


def test_only_mail_for_the_domain_is_tried() -> None:
    stand = Stand()
    messages = {"AA0001": control("a@else.example"), "AA0002": control("b@other.example")}
    waiting(stand, dump("/q", **messages))
    (script,) = scripts(Flush("new", domain="other.example"), stand)
    assert "-qIAA0002" in script
    assert "AA0001" not in script
    assert scripts(Flush("new", recipient="nobody@else.example"), stand) == []


def test_a_long_queue_is_run_in_parts_by_destination() -> None:
    stand = Stand()
    messages = {f"AA{number:04}": control(f"a@d{number % 7}.example") for number in range(400)}
    waiting(stand, dump("/q", **messages))
    found = scripts(Flush("new", everything=True), stand)
    assert len(found) == 20
    assert sum(script.count("-qI") for script in found) == 400
    assert found[0].split("-qI")[1].strip() == "AA0000"


def test_hosts_that_did_not_answer_are_forgotten_first() -> None:
    stand = Stand()
    stand.facts(cf="O QueueDirectory=/var/spool/mqueue\nO HostStatusDirectory=.hoststat\n")
    waiting(stand, dump("/q", AA0001=control("a@else.example")))
    (script,) = scripts(Flush("new", everything=True), stand)
    assert script.startswith("if [ -d /var/spool/mqueue/.hoststat ]; then find ")


def test_what_left_is_told_by_the_log_and_what_stayed_by_its_reason() -> None:
    stand, tool = Stand(), Flush("new", everything=True)
    before = {number: control("user01@example.test") for number in ("AA0001", "AA0002", "AA0003")}
    waiting(stand, dump("/q", **before))
    assert stand.measured(tool)["MTA queue"].startswith("3 queued, the oldest since 2026-11-30 00:53 UTC")
    stand.host.on(r"grep -aF", LOG)
    waiting(
        stand, dump("/q", AA0002=control("user01@example.test", reason=DEAD, tries=1), NEW001=control("x"))
    )
    after = stand.measured(tool)
    assert after["left"] == "2 messages (by the log: 1 sent; 1 User unknown)"
    assert after["stayed AA0002"] == f"for user01@example.test: {DEAD}"
    assert [one.id for one in tool.stayed] == ["AA0002"]


def test_quarantined_messages_are_not_tried_and_told() -> None:
    stand, tool = Stand(), Flush("new", everything=True)
    waiting(stand, dump("/q", AA0001=control("a@x.example")).replace("/qf", "/hf"))
    assert stand.look(tool) == []
    assert stand.measured(tool)["MTA queue"].startswith("1 quarantined")
    assert "-qQ -Q" in stand.measured(tool)["stayed AA0001"]
