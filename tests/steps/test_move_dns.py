"""The mail host's name gets the new host's addresses, and no record of the old one stays."""

from __future__ import annotations

import pytest

from migrator.change import AddressSet, DnsUpdate
from migrator.errors import NotReady, Refused
from migrator.steps.move_dns import MoveDns
from tests.fakes import FakeNames
from tests.steps.stage import LateNames, Stage

OLD = AddressSet("A", ("198.51.100.10",), 900)
OLD_IPV6 = AddressSet("AAAA", ("2001:db8::10",), 900)
NEW = AddressSet("A", ("198.51.100.20",), 900)
NO_IPV6 = AddressSet("AAAA", (), 900)


@pytest.fixture
def stage() -> Stage:
    stage = Stage(MoveDns())
    stage.world.names = FakeNames(OLD)
    return stage


def waiting(stage: Stage) -> NotReady:
    with pytest.raises(NotReady) as raised:
        stage.look()
    return raised.value


class TestUpdate:
    def test_the_address_moves_and_the_undo_brings_it_back(self, stage: Stage) -> None:
        (change,) = stage.perform()
        assert change.summary == "point mail.example.test at 198.51.100.20"
        assert change.do == DnsUpdate("mail.example.test", (NEW,))
        assert change.undo == DnsUpdate("mail.example.test", (OLD,))
        stage.verify()
        assert stage.look() == []

    def test_a_type_that_the_new_host_has_no_address_of_is_emptied(self, stage: Stage) -> None:
        stage.world.names = FakeNames(OLD, OLD_IPV6)
        (change,) = stage.perform()
        assert change.do == DnsUpdate("mail.example.test", (NEW, NO_IPV6))
        assert change.undo == DnsUpdate("mail.example.test", (OLD, OLD_IPV6))
        stage.verify()

    def test_a_type_that_is_new_comes_with_it(self, stage: Stage) -> None:
        stage.plan_new("198.51.100.20", "2001:db8::20")
        (change,) = stage.perform()
        assert change.do == DnsUpdate("mail.example.test", (NEW, AddressSet("AAAA", ("2001:db8::20",), 900)))

    def test_other_addresses_of_the_name_go_too(self, stage: Stage) -> None:
        stage.world.names = FakeNames(AddressSet("A", ("198.51.100.10", "198.51.100.20"), 900))
        assert stage.perform()[0].do == DnsUpdate("mail.example.test", (NEW,))

    def test_a_name_without_an_address_is_refused(self, stage: Stage) -> None:
        stage.world.names = FakeNames()
        with pytest.raises(Refused, match="has no address record"):
            stage.look()


class TestByHand:
    @pytest.fixture(autouse=True)
    def manual(self, stage: Stage) -> None:
        stage.plan_dns(update="manual")

    def test_what_to_enter_is_said_word_for_word(self, stage: Stage) -> None:
        stage.plan_new("198.51.100.20", "2001:db8::20")
        raised = waiting(stage)
        assert raised.message == "mail.example.test still names the old host"
        assert raised.advice == (
            "enter at the DNS provider, and run this command again:\n"
            "mail.example.test. 900 IN A 198.51.100.20\n"
            "mail.example.test. 900 IN AAAA 2001:db8::20"
        )
        assert (raised.host, raised.until) == ("operator", None)

    def test_a_record_of_the_old_host_alone_is_to_be_deleted(self, stage: Stage) -> None:
        stage.world.names = FakeNames(OLD, OLD_IPV6)
        raised = waiting(stage)
        assert raised.advice == (
            "enter at the DNS provider, and run this command again:\n"
            "mail.example.test. 900 IN A 198.51.100.20\n"
            "delete every AAAA record of mail.example.test."
        )
        assert raised.expected == "A 198.51.100.20; AAAA none"
        assert raised.seen == "A 198.51.100.10; AAAA 2001:db8::10"

    def test_once_it_is_entered_the_step_is_done(self, stage: Stage) -> None:
        stage.world.names = FakeNames(NEW)
        assert stage.look() == []
        stage.verify()


class TestStaleServer:
    def test_a_second_server_that_follows_within_a_minute_is_waited_for(self, stage: Stage) -> None:
        stage.world.names = LateNames(NEW, late=[OLD], rounds=20)
        stage.verify()
        assert sum(stage.world.clock.slept) == 20

    def test_one_that_does_not_is_named(self, stage: Stage) -> None:
        stage.world.names = LateNames(NEW, late=[OLD])
        with pytest.raises(NotReady, match="not all taken the change over") as raised:
            stage.verify()
        assert raised.value.seen == "ns2.example.test (198.51.100.54) gives A 198.51.100.10"
        assert sum(stage.world.clock.slept) == 60

    def test_a_record_that_only_one_server_deleted_is_named(self, stage: Stage) -> None:
        stage.world.names = LateNames(NEW, late=[NEW, OLD_IPV6])
        with pytest.raises(NotReady) as raised:
            stage.verify()
        assert raised.value.seen == "ns2.example.test (198.51.100.54) gives AAAA 2001:db8::10"

    def test_servers_that_contradict_each_other_are_let_settle_before_an_update(self, stage: Stage) -> None:
        stage.world.names = LateNames(OLD, late=[NEW], rounds=3)
        assert len(stage.perform()) == 1

    def test_where_they_do_not_settle_the_step_waits(self, stage: Stage) -> None:
        stage.world.names = LateNames(OLD, late=[NEW])
        assert waiting(stage).seen == "A: 198.51.100.10 or 198.51.100.20"


@pytest.mark.parametrize(("update", "by_itself"), [("command", True), ("manual", False)])
def test_records_that_a_person_changes_are_not_put_back_by_itself(
    stage: Stage, update: str, by_itself: bool
) -> None:
    stage.plan_dns(update=update)
    assert stage.step.can_go_back(stage.context()) is by_itself
