"""The TTL is lowered where that is needed, and the wait counts from when the last server gives the low one."""

from __future__ import annotations

import pytest

from migrator.change import AddressSet, DnsUpdate, Note, Undo
from migrator.errors import DnsError, NotReady, VerifyFailed
from migrator.net.nameserver import Server
from migrator.net.question import Answer, Outcome
from migrator.steps.lower_ttl import LowerTtl
from tests.fakes import NOON, FakeNames
from tests.steps.stage import LateNames, Stage, summaries

HIGH = AddressSet("A", ("198.51.100.10",), 3600)
LOW = AddressSet("A", ("198.51.100.10",), 900)


@pytest.fixture
def stage() -> Stage:
    return Stage(LowerTtl())


def test_a_high_ttl_is_noted_lowered_and_its_time_kept(stage: Stage) -> None:
    noted, lowered, low = stage.perform()
    assert noted.remember == {"ttl.highest": "3600"}
    assert lowered.summary == "lower the TTL of mail.example.test from 1h to 15m"
    assert lowered.do == DnsUpdate("mail.example.test", (LOW,))
    assert lowered.undo == DnsUpdate("mail.example.test", (HIGH,))
    assert low.remember == {"ttl.low_since": NOON.isoformat()}
    stage.verify()


def test_a_ttl_that_is_low_already_is_only_noted(stage: Stage) -> None:
    stage.world.names = FakeNames(LOW)
    changes = stage.perform()
    assert [(change.do, change.undo) for change in changes] == [(Note(), Undo.NOT_NEEDED)] * 2
    assert stage.memory == {"ttl.highest": "900", "ttl.low_since": NOON.isoformat()}


def test_the_highest_ttl_ever_seen_is_not_forgotten_when_it_is_low(stage: Stage) -> None:
    stage.memory["ttl.highest"] = "86400"
    stage.world.names = FakeNames(LOW)
    assert summaries(stage.perform()) == ["the TTL of mail.example.test is low from now on, noted"]
    assert stage.memory["ttl.highest"] == "86400"


def test_the_highest_ttl_of_all_records_counts_and_a_lower_one_stays(stage: Stage) -> None:
    other = AddressSet("AAAA", ("2001:db8::10",), 300)
    stage.world.names = FakeNames(HIGH, other)
    changes = stage.perform()
    assert changes[0].remember == {"ttl.highest": "3600"}
    assert changes[1].do == DnsUpdate("mail.example.test", (LOW, other))


def test_by_hand_the_records_to_enter_are_said_after_the_ttl_was_noted(stage: Stage) -> None:
    stage.plan_dns(update="manual")
    stage.world.names = FakeNames(HIGH, AddressSet("AAAA", ("2001:db8::10",), 7200))
    with pytest.raises(NotReady) as waiting:
        stage.perform()
    assert waiting.value.message == "the TTL of mail.example.test is 2h, and is to be 15m"
    assert waiting.value.advice == (
        "enter at the DNS provider, and run this command again:\n"
        "mail.example.test. 900 IN A 198.51.100.10\n"
        "mail.example.test. 900 IN AAAA 2001:db8::10"
    )
    assert stage.memory == {"ttl.highest": "7200"}


def test_once_it_was_entered_by_hand_the_step_goes_on(stage: Stage) -> None:
    stage.plan_dns(update="manual")
    stage.memory["ttl.highest"] = "3600"
    stage.world.names = FakeNames(LOW)
    stage.perform()
    stage.verify()
    assert stage.memory["ttl.low_since"] == NOON.isoformat()


def test_the_ttl_is_not_low_while_a_second_server_is_behind(stage: Stage) -> None:
    stage.world.names = LateNames(LOW, late=[HIGH], rounds=6)
    stage.perform()
    assert "ttl.low_since" not in stage.memory
    with pytest.raises(VerifyFailed, match="not noted yet"):
        stage.verify()
    behind = sum(stage.world.clock.slept)
    assert 0 < behind < 60
    stage.perform(attempt=2)
    stage.verify(attempt=2)
    assert stage.memory["ttl.low_since"] == stage.world.clock.now().isoformat()


def test_a_second_server_that_stays_behind_is_named(stage: Stage) -> None:
    stage.world.names = LateNames(LOW, late=[HIGH])
    with pytest.raises(NotReady) as waiting:
        stage.verify()
    assert waiting.value.seen == "ns2.example.test (198.51.100.54) gives A with a TTL of 3600 s"
    assert sum(stage.world.clock.slept) == 60


def test_nothing_is_lowered_while_a_server_does_not_answer(stage: Stage) -> None:
    class Broken(FakeNames):
        def authoritative(self, name: str) -> tuple[Answer, ...]:
            lame = Answer(Server("ns3", "192.0.2.3"), "A", error="lame: no authority", outcome=Outcome.LAME)
            return (*super().authoritative(name), lame)

    stage.world.names = Broken(HIGH)
    with pytest.raises(DnsError, match="not every authoritative") as failed:
        stage.perform()
    assert failed.value.seen == "ns3 (192.0.2.3): lame: no authority"
