"""The zone is what all of its servers say, and nothing is said of it where one is silent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from migrator.change import AddressSet
from migrator.errors import DnsError, NotReady, Refused
from migrator.net.nameserver import Server
from migrator.net.question import Answer, Outcome
from migrator.steps.common import zone
from migrator.steps.move_dns import MoveDns
from tests.fakes import FakeNames
from tests.steps.stage import LateNames, Stage

A = AddressSet("A", ("198.51.100.10",), 900)
AAAA = AddressSet("AAAA", ("2001:db8::10",), 300)


class With(FakeNames):
    """A DNS of one more server."""

    def __init__(self, *sets: AddressSet, outcome: Outcome) -> None:
        super().__init__(*sets)
        self.outcome = outcome

    def authoritative(self, name: str) -> tuple[Answer, ...]:
        server = Server("ns3.example.test", "2001:db8::53")
        broken = Answer(server, "A", error="it says nothing", outcome=self.outcome)
        return (*super().authoritative(name), broken)


@pytest.fixture
def stage() -> Stage:
    return Stage(MoveDns())


class TestAnswers:
    @pytest.mark.parametrize("outcome", [one for one in Outcome if one not in ("answered", "unroutable")])
    def test_one_server_without_an_answer_leaves_nothing_to_say(self, stage: Stage, outcome: Outcome) -> None:
        stage.world.names = With(A, outcome=outcome)
        with pytest.raises(DnsError) as failed:
            zone.answers(stage.context())
        assert failed.value.seen == "ns3.example.test (2001:db8::53): it says nothing"

    def test_an_address_that_this_machine_has_no_way_to_is_passed_over(self, stage: Stage) -> None:
        stage.world.names = With(A, outcome=Outcome.UNROUTABLE)
        assert {answer.server.name for answer in zone.answers(stage.context())} == {
            "ns1.example.test",
            "ns2.example.test",
        }

    def test_where_no_way_leads_to_any_server_nothing_is_known(self, stage: Stage) -> None:
        lost = Answer(Server("ns", "2001:db8::53"), "A", error="no way", outcome=Outcome.UNROUTABLE)
        stage.world.names.authoritative = lambda name: (lost,)  # type: ignore[method-assign]
        with pytest.raises(DnsError) as failed:
            zone.answers(stage.context())
        assert failed.value.seen == "no server was found"


class TestRecords:
    def test_each_type_has_its_addresses_and_ttl(self, stage: Stage) -> None:
        stage.world.names = FakeNames(AAAA, A)
        assert zone.records(stage.context()) == (A, AAAA)

    def test_the_highest_ttl_of_all_servers_counts(self, stage: Stage) -> None:
        stage.world.names = LateNames(A, late=[zone.with_ttl(A, 3600)])
        assert zone.records(stage.context()) == (zone.with_ttl(A, 3600),)

    def test_servers_that_contradict_each_other_are_refused(self, stage: Stage) -> None:
        stage.world.names = LateNames(A, late=[AddressSet("A", ("192.0.2.9",), 900)])
        with pytest.raises(Refused, match="contradict each other") as refused:
            zone.records(stage.context())
        assert refused.value.expected == "A 198.51.100.10 everywhere"
        assert refused.value.seen == "ns2.example.test (198.51.100.54) says 192.0.2.9"

    def test_a_name_without_an_address_is_refused(self, stage: Stage) -> None:
        stage.world.names = FakeNames()
        with pytest.raises(Refused, match="has no address record"):
            zone.records(stage.context())


class TestMoved:
    def test_the_new_host_has_the_name_alone(self, stage: Stage) -> None:
        stage.plan_new("198.51.100.20")
        assert zone.moved(stage.context(), (A, AAAA), 60) == (
            AddressSet("A", ("198.51.100.20",), 60),
            AddressSet("AAAA", (), 60),
        )

    def test_a_type_that_nobody_has_is_not_mentioned(self, stage: Stage) -> None:
        assert zone.moved(stage.context(), (A,), 60) == (AddressSet("A", ("198.51.100.20",), 60),)

    def test_addresses_go_by_their_family_in_order(self) -> None:
        assert zone.address_sets(("2001:db8::2", "192.0.2.9", "192.0.2.1"), 60) == (
            AddressSet("A", ("192.0.2.1", "192.0.2.9"), 60),
            AddressSet("AAAA", ("2001:db8::2",), 60),
        )


class TestSame:
    def test_nothing_is_wrong_where_every_server_has_just_these(self, stage: Stage) -> None:
        stage.world.names = FakeNames(A)
        assert zone.same_addresses(stage.context(), (zone.with_ttl(A, 0),)) == ""

    def test_each_server_that_has_another_or_one_more_is_named(self, stage: Stage) -> None:
        stage.world.names = LateNames(A, late=[AAAA])
        assert zone.same_addresses(stage.context(), (A,)) == (
            "ns2.example.test (198.51.100.54) gives A nothing; "
            "ns2.example.test (198.51.100.54) gives AAAA 2001:db8::10"
        )


class TestSettle:
    def test_it_asks_each_second_until_there_is_nothing_to_complain_of(self, stage: Stage) -> None:
        complaints = ["x", "x", ""]
        zone.settle(stage.context(), lambda: complaints.pop(0), expected="y")
        assert stage.world.clock.slept == [1.0, 1.0]

    def test_after_a_minute_it_waits_for_a_person(self, stage: Stage) -> None:
        with pytest.raises(NotReady) as waiting:
            zone.settle(stage.context(), lambda: "x", expected="y")
        assert (waiting.value.expected, waiting.value.seen) == ("y", "x")
        assert sum(stage.world.clock.slept) == zone.SETTLE.total_seconds()

    def test_a_clock_that_jumps_does_not_end_it(self, stage: Stage) -> None:
        complaints = ["x", "x", ""]

        def complaint() -> str:
            stage.world.clock.time += timedelta(hours=1)
            return complaints.pop(0)

        zone.settle(stage.context(), complaint, expected="y")
        assert stage.world.clock.slept == [1.0, 1.0]


class TestWords:
    def test_records_are_entered_as_in_a_zone_file(self) -> None:
        sets = (AddressSet("A", ("192.0.2.9", "192.0.2.1"), 900), AddressSet("AAAA", (), 900))
        assert zone.by_hand("mail.example.test", sets).splitlines()[1:] == [
            "mail.example.test. 900 IN A 192.0.2.1",
            "mail.example.test. 900 IN A 192.0.2.9",
            "delete every AAAA record of mail.example.test.",
        ]

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0s"),
            (59, "59s"),
            (90, "90s"),
            (60, "1m"),
            (900, "15m"),
            (3600, "1h"),
            (5400, "90m"),
            (172800, "48h"),
        ],
    )
    def test_a_duration_is_written_as_in_a_plan(self, seconds: int, text: str) -> None:
        assert zone.duration(seconds) == text


class TestIdleTroubles:
    """Trouble with AAAA alone stops nothing where nothing of IPv6 moves (RFC 4074)."""

    OUTCOMES = ("timeout", "lame", "NXDOMAIN", "refused", "failed", "malformed", "unreachable")

    @pytest.fixture
    def server(self, stage: Stage) -> Server:
        plan = stage.context().plan
        assert all(":" not in one for one in (*plan.old.addresses, *plan.new.addresses))
        return FakeNames(A).authoritative("mail.example.test")[0].server

    def broken(self, stage: Stage, server: Server, outcome: str, *sets: AddressSet) -> None:
        class Half(FakeNames):
            def authoritative(self, name: str) -> tuple[Answer, ...]:
                wanted = Answer(server, "AAAA", error="it says nothing", outcome=Outcome(outcome))
                given = super().authoritative(name)
                return (*(one for one in given if (one.server, one.rdtype) != (server, "AAAA")), wanted)

        stage.world.names = Half(*sets)

    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_the_a_records_count_as_they_are(self, stage: Stage, server: Server, outcome: str) -> None:
        self.broken(stage, server, outcome, A)
        assert zone.records(stage.context()) == (A,)
        assert zone.settled_records(stage.context()) == (A,)
        assert zone.same_addresses(stage.context(), (A,)) == ""

    def test_where_a_host_has_an_ipv6_address_the_aaaa_has_to_be_known(
        self, stage: Stage, server: Server
    ) -> None:
        self.broken(stage, server, "failed", A)
        stage.plan_new("198.51.100.20", "2001:db8::20")
        with pytest.raises(DnsError, match="not every authoritative"):
            zone.answers(stage.context())

    def test_where_another_server_knows_an_aaaa_it_has_to_be_known(
        self, stage: Stage, server: Server
    ) -> None:
        self.broken(stage, server, "failed", A, AAAA)
        with pytest.raises(DnsError, match="not every authoritative"):
            zone.answers(stage.context())
