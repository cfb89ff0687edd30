"""The plan against the DNS, the calendar and the operator's machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.change import AddressSet
from migrator.net.nameserver import Server
from migrator.net.question import Answer, Outcome
from migrator.plan import CutoverPlan, DnsPlan, HostPlan, LexiconPlan, Rfc2136Plan, Window
from migrator.steps.rules import plan
from tests.fakes import NOON, FakeNames, World
from tests.steps.sound import brief, sound_world

OTHER = Answer(Server("ns3.example.test", "198.51.100.60"), "A")


class AlsoAnswering(FakeNames):
    """A DNS with answers beside those of its two servers."""

    also: tuple[Answer, ...] = ()

    def authoritative(self, name: str) -> tuple[Answer, ...]:
        return (*super().authoritative(name), *self.also)


def world_with(*also: Answer) -> World:
    world = sound_world()
    names = AlsoAnswering(AddressSet("A", ("198.51.100.10",), 3600))
    names.also = also
    world.names = names
    return world


def records(world: World, **context: object) -> list[str]:
    return brief(list(plan.records(world.context(**context))))


def test_records_as_the_plan_has_them_pass() -> None:
    assert records(sound_world()) == [
        "pass name-servers operator",
        "pass addresses operator",
        "pass ttl operator",
    ]


def test_a_server_that_does_not_answer_fails() -> None:
    found = list(plan.records(world_with(replace(OTHER, error="no reply")).context()))
    assert brief(found)[0] == "fail name-servers operator"
    assert "no reply" in found[0].text


def test_a_server_that_this_machine_has_no_way_to_is_a_warning() -> None:
    world = world_with(replace(OTHER, error="cannot be asked", outcome=Outcome.UNROUTABLE))
    assert records(world)[0] == "warn name-servers operator"


def test_servers_that_contradict_each_other_fail() -> None:
    world = world_with(replace(OTHER, addresses=("198.51.100.99",), ttl=60))
    assert "fail addresses operator" in records(world)


def test_a_name_without_addresses_fails() -> None:
    world = sound_world()
    world.names = FakeNames()
    assert "fail addresses operator" in records(world)


def test_no_server_at_all_fails() -> None:
    class Nobody(FakeNames):
        def authoritative(self, name: str) -> tuple[Answer, ...]:
            return ()

    world = sound_world()
    world.names = Nobody()
    assert records(world) == ["fail name-servers operator"]


def test_an_address_that_the_plan_does_not_know_is_a_warning() -> None:
    world = sound_world()
    world.names.update([AddressSet("A", ("198.51.100.10", "198.51.100.77"), 60)])
    found = next(one for one in plan.records(world.context()) if one.name == "addresses")
    assert found.level == "warn"
    assert found.advice.endswith("198.51.100.77")


def test_records_that_name_the_new_host_are_right_only_under_way() -> None:
    world = sound_world()
    world.names.update([AddressSet("A", ("198.51.100.20",), 60)])
    assert "warn addresses operator" in records(world)
    assert "pass addresses operator" in records(world, memory={"moved": "yes"})


def test_an_aaaa_record_that_would_go_away_is_a_warning() -> None:
    old = HostPlan("root@198.51.100.10", ("198.51.100.10", "2001:db8::10"))
    world = sound_world(old=old)
    world.names.update([AddressSet("AAAA", ("2001:db8::10",), 60)])
    assert records(world)[1:3] == ["pass addresses operator", "warn ipv6 operator"]

    world.plan = replace(world.plan, new=replace(world.plan.new, addresses=("2001:db8::20",)))
    assert "warn ipv6 operator" not in records(world)


@pytest.mark.parametrize(("update", "word"), [("manual", "at the provider"), ("rfc2136", "lower-ttl")])
def test_a_high_ttl_is_told_with_who_lowers_it(update: str, word: str) -> None:
    world = sound_world(dns=DnsPlan(ttl=timedelta(minutes=15), update=update))  # type: ignore[arg-type]
    (found,) = [one for one in plan.records(world.context()) if one.name == "ttl"]
    assert found.level == "warn"
    assert "3600 s" in found.text
    assert word in found.advice


@pytest.mark.parametrize(
    ("begins", "level"),
    [(timedelta(hours=-5), "fail"), (timedelta(hours=-3), "warn"), (timedelta(hours=49), "pass")],
)
def test_a_window_has_to_lie_ahead_beyond_the_lead(begins: timedelta, level: str) -> None:
    window = Window(NOON + begins, timedelta(hours=4))
    world = sound_world(cutover=CutoverPlan(window=window))
    (found,) = plan.window(world.context())
    assert (found.name, found.level) == ("window", level)


def test_no_window_is_nothing_to_tell() -> None:
    assert list(plan.window(sound_world().context())) == []


def update_finding(dns: DnsPlan) -> str:
    (found,) = plan.update(sound_world(dns=dns).context())
    return f"{found.level}: {found.text}"


def test_the_key_of_updates_is_there_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Rfc2136Plan("198.51.100.53", "lab.", key_file=tmp_path / "tsig.key")
    dns = DnsPlan(update="rfc2136", rfc2136=table)
    assert "No such file" in update_finding(dns)
    (tmp_path / "tsig.key").write_text("c2VjcmV0")
    (tmp_path / "tsig.key").chmod(0o640)
    assert "chmod 600" in update_finding(dns)
    (tmp_path / "tsig.key").chmod(0o600)
    assert update_finding(dns).startswith("pass")

    dns = replace(dns, rfc2136=Rfc2136Plan("198.51.100.53", "lab.", key_env="MIGRATE_TEST_TSIG"))
    assert "MIGRATE_TEST_TSIG is not set" in update_finding(dns)
    monkeypatch.setenv("MIGRATE_TEST_TSIG", "c2VjcmV0")
    assert update_finding(dns).startswith("pass")


def test_the_operators_program_is_there_and_executable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "move"
    dns = DnsPlan(update="command", command=(str(program), "argument"))
    assert update_finding(dns).startswith("fail")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert update_finding(dns).startswith("pass")

    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no lexicon" in update_finding(DnsPlan(update="lexicon", lexicon=LexiconPlan("example")))


def test_manual_needs_nothing() -> None:
    assert update_finding(DnsPlan()).startswith("pass")


def test_a_server_that_fails_for_aaaa_alone_is_a_warning() -> None:
    good = FakeNames(AddressSet("A", ("198.51.100.10",), 3600)).authoritative("mail.example.test")[0].server
    found = list(
        plan.records(world_with(Answer(good, "AAAA", error="SERVFAIL", outcome=Outcome.FAILED)).context())
    )
    assert brief(found) == [
        "pass name-servers operator",
        "warn name-servers operator",
        "pass addresses operator",
        "pass ttl operator",
    ]
    assert "AAAA" in found[1].text
    assert "SERVFAIL" in found[1].text


def test_a_server_that_fails_for_the_a_record_fails_whatever_it_says_of_aaaa() -> None:
    found = records(
        world_with(replace(OTHER, error="no reply"), replace(OTHER, rdtype="AAAA", error="no reply"))
    )
    assert found[0] == "fail name-servers operator"
