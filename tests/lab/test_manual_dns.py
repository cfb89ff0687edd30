"""Where the DNS is kept by hand: the program says what to enter, waits, and goes on."""

from __future__ import annotations

import pytest

from tests.lab.driver import events, succeed
from tests.lab.lab import Lab, accepts
from tests.lab.recipe import point_mail_host_at
from tests.lab.scene import scene
from tests.lab.world import expect_moved

pytestmark = pytest.mark.lab


def waits_for(lab: Lab, record: str) -> None:
    """Run until a change by hand is missing. Raise AssertionError where the run does not say this record."""
    done = lab.migrate("run", "--yes")
    assert done.returncode == 75, done.stdout + done.stderr
    assert record in done.stderr


def test_a_dns_by_hand_is_waited_for_and_loses_nothing(manual_lab: Lab) -> None:
    lab, old, new = manual_lab, manual_lab.place.old, manual_lab.place.new
    with scene(lab, rate=8.0) as stage:
        waits_for(lab, f"mail.example.test. 5 IN A {old}")
        point_mail_host_at(lab, old, ttl=5)
        unasked = lab.migrate("run", "--wait", "--until", "presync")
        assert unasked.returncode == 0, unasked.stderr
        stage.readers.stop()
        unasked = lab.migrate("run", "--wait")
        assert unasked.returncode == 3, "no mail is moved before somebody said yes"
        succeed(lab, "run", "--wait", "--yes", "--until", "open-new")
        waits_for(lab, f"mail.example.test. 5 IN A {new}")
        assert accepts(new, 25), "mail is taken while the DNS is waited for"
        point_mail_host_at(lab, new, ttl=5)
        told = [event["text"] for event in events(lab, "run") if event["kind"] == "change_done"]
        account = stage.end()
    expect_moved(lab)
    assert account.clean, stage.told(account)
    assert any(f"mail.example.test. 3600 IN A {new}" in text for text in told), told
