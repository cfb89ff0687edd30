"""Every server is asked and what each says is kept; only an authoritative one can hold the run up."""

from __future__ import annotations

import pytest

from migrator.change import AddressSet, Note, Undo
from migrator.errors import NotReady
from migrator.net.nameserver import Server
from migrator.net.question import Answer, Outcome
from migrator.steps.verify_dns import VerifyDns
from tests.fakes import NOON, FakeNames
from tests.steps.stage import LateNames, Stage, summaries

NEW = AddressSet("A", ("198.51.100.20",), 900)
OLD = AddressSet("A", ("198.51.100.10",), 900)


class Watched(FakeNames):
    """A DNS whose resolvers say this."""

    def __init__(self, *cached: Answer) -> None:
        super().__init__(NEW)
        self.cached = cached

    def resolvers(self, name: str) -> tuple[Answer, ...]:
        return self.cached


@pytest.fixture
def stage() -> Stage:
    stage = Stage(VerifyDns())
    stage.world.names = FakeNames(NEW)
    return stage


def resolver(address: str, ttl: int) -> Answer:
    return Answer(Server("dns.example.net", "192.0.2.53"), "A", (address,), ttl)


def test_authoritative_servers_come_first_then_resolvers_each_with_its_ttl(stage: Stage) -> None:
    stage.world.names = Watched(resolver("198.51.100.20", 240))
    assert summaries(stage.perform()) == [
        "ns1.example.test (198.51.100.53) says A 198.51.100.20 (the new host), TTL 900 s left",
        "ns2.example.test (198.51.100.54) says A 198.51.100.20 (the new host), TTL 900 s left",
        "dns.example.net (192.0.2.53) says A 198.51.100.20 (the new host), TTL 240 s left",
        "every server was asked",
    ]


def test_nothing_is_done_and_it_is_said_once(stage: Stage) -> None:
    changes = stage.perform()
    assert {(change.do, change.undo) for change in changes} == {(Note(), Undo.NOT_NEEDED)}
    assert stage.memory == {"verify-dns": NOON.isoformat()}
    assert stage.look() == []


def test_a_resolver_that_holds_the_old_address_is_told_and_no_failure(stage: Stage) -> None:
    stage.world.names = Watched(resolver("198.51.100.10", 777))
    assert "dns.example.net (192.0.2.53) says A 198.51.100.10 (NOT the new host), TTL 777 s left" in (
        summaries(stage.perform())
    )
    stage.verify()


def test_a_resolver_that_does_not_answer_is_told_and_no_failure(stage: Stage) -> None:
    silent = Answer(Server("9.9.9.9", "9.9.9.9"), "A", error="no usable reply", outcome=Outcome.TIMEOUT)
    stage.world.names = Watched(silent)
    assert "9.9.9.9 gives no answer: no usable reply" in summaries(stage.perform())
    stage.verify()


def test_one_of_two_addresses_is_not_the_new_host(stage: Stage) -> None:
    both = Answer(Server("1.1.1.1", "1.1.1.1"), "A", ("198.51.100.10", "198.51.100.20"), 9)
    stage.world.names = Watched(both)
    assert "(NOT the new host)" in summaries(stage.perform())[2]


@pytest.mark.parametrize(
    "late",
    [
        [OLD],
        [AddressSet("A", ("198.51.100.10", "198.51.100.20"), 900)],
        [NEW, AddressSet("AAAA", ("::1",), 9)],
        [],
    ],
    ids=["the old address", "both addresses", "an AAAA beside it", "no address"],
)
def test_an_authoritative_server_has_to_name_the_new_host_alone(stage: Stage, late: list[AddressSet]) -> None:
    stage.world.names = LateNames(NEW, late=late)
    with pytest.raises(NotReady, match="at every authoritative server") as waiting:
        stage.verify()
    assert str(waiting.value.seen).startswith("ns2.example.test (198.51.100.54) gives A")
