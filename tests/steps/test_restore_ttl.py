"""The TTL goes up again; nothing waits for it where it is entered by hand."""

from __future__ import annotations

import pytest

from migrator.change import AddressSet, DnsUpdate, Note, Undo
from migrator.errors import VerifyFailed
from migrator.steps.restore_ttl import RestoreTtl
from tests.fakes import FakeNames
from tests.steps.stage import Stage

LOW = AddressSet("A", ("198.51.100.20",), 900)
HIGH = AddressSet("A", ("198.51.100.20",), 3600)


@pytest.fixture
def stage() -> Stage:
    stage = Stage(RestoreTtl())
    stage.world.names = FakeNames(LOW)
    return stage


def test_the_ttl_is_raised_with_the_low_one_as_its_undo(stage: Stage) -> None:
    (change,) = stage.perform()
    assert change.summary == "raise the TTL of mail.example.test to 1h"
    assert change.do == DnsUpdate("mail.example.test", (HIGH,))
    assert change.undo == DnsUpdate("mail.example.test", (LOW,))
    stage.verify()
    assert stage.look() == []


def test_every_type_is_raised(stage: Stage) -> None:
    stage.world.names = FakeNames(HIGH, AddressSet("AAAA", ("2001:db8::20",), 900))
    assert stage.look()[0].do == DnsUpdate(
        "mail.example.test", (HIGH, AddressSet("AAAA", ("2001:db8::20",), 3600))
    )


def test_by_hand_what_to_enter_is_noted_once_and_nothing_waits(stage: Stage) -> None:
    stage.plan_dns(update="manual")
    (change,) = stage.perform()
    assert change.summary == (
        "by hand: enter at the DNS provider:\nmail.example.test. 3600 IN A 198.51.100.20"
    )
    assert (change.do, change.undo) == (Note(), Undo.NOT_NEEDED)
    assert stage.look() == []
    stage.verify()


def test_an_address_that_is_the_old_hosts_again_fails(stage: Stage) -> None:
    stage.world.names = FakeNames(AddressSet("A", ("198.51.100.10",), 3600))
    with pytest.raises(VerifyFailed, match="does not name the new host") as failed:
        stage.verify()
    assert "gives A 198.51.100.10" in str(failed.value.seen)
