"""The promise of `hold`: under a stream of mail nothing is lost, no sender is refused, and the port never closes.

This measures parts of a second, so it wants the machine for itself: `make lab` runs it apart from the others.
"""

from __future__ import annotations

import json

import pytest

from tests.lab.account import Account
from tests.lab.driver import events, migrate, succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene, scene
from tests.lab.world import expect_moved

pytestmark = pytest.mark.lab

CLOSED_SECONDS = 0.5


def test_hold_loses_nothing_and_no_sender_is_ever_refused(lab: Lab) -> None:
    with scene(lab) as stage:
        stage.queue_on_old(1, "user01@example.test")
        stage.queue_on_old(2, "team@example.test")
        migrate(lab, stage)
        account = stage.end()
    assert account.clean, stage.told(account)
    expect_never_refused(stage, account)
    expect_moved(lab)
    expect_finished(lab)


def expect_finished(lab: Lab) -> None:
    """Raise AssertionError where the program does not say that all is done, or does anything more."""
    told = json.loads(succeed(lab, "status", "--json"))
    assert told["state"] == "done"
    assert {step["state"] for step in told["steps"]} == {"done"}
    again = events(lab, "run", "--yes")
    assert [event["kind"] for event in again] == ["run_done"]
    back = [event["step"] for event in events(lab, "rollback", "--dry-run")]
    assert {"relay", "relay-home", "bring-home", "put-back"} <= set(back)


def expect_never_refused(stage: Scene, account: Account) -> None:
    """Raise AssertionError where a sender had to come again, or the old host's port was closed."""
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()
    again = [message.last_trouble for message in stage.traffic.messages if message.refusals]
    assert not again, f"{len(again)} messages had to be tried again: {again[:5]}\n{account.text()}"
