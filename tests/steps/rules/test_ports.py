"""Who gets into port 25 is told by a connection, before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.steps.rules import ports
from migrator.steps.rules.finding import Finding
from tests.fakes import World
from tests.steps.sound import REACH, both, brief, sound_world

REFUSED = "reach {}\nbash: connect: Connection refused\nended 3\n"
LISTENING = "1000.0 100 5000 5000\n0\x0077 (sendmail-mta) S 1 77 77 {}900\0sendmail: MTA: {}\0\0"


def sendmail(world: World, title: str) -> None:
    world.new.on("CLK_TCK", LISTENING.format("0 " * 15, title))


def found(world: World) -> Sequence[Finding]:
    world.new.on("nft.*list", "open")
    return list(ports.reach(both(world)))


def test_a_greeting_passes_and_is_shown() -> None:
    (told,) = found(sound_world())
    assert brief([told]) == ["pass port-25 new"]
    assert "220 mail.example.test ESMTP" in told.text


def test_a_port_that_keeps_the_old_host_out_fails_while_sendmail_runs() -> None:
    world = sound_world()
    world.old.on(REACH, REFUSED.format("198.51.100.20"))
    sendmail(world, "accepting connections")
    (told,) = found(world)
    assert brief([told]) == ["fail port-25 new"]
    assert "198.51.100.20: Connection refused" in told.text
    assert "nft list ruleset" in told.advice


def test_a_daemon_that_closed_its_port_for_its_load_is_told_by_its_title() -> None:
    world = sound_world()
    world.old.on(REACH, REFUSED.format("198.51.100.20"))
    sendmail(world, "rejecting connections on daemon MTA: load average: 24")
    (told,) = found(world)
    assert "rejecting connections on daemon MTA: load average: 24" in told.text


def test_without_a_sendmail_nobody_can_tell() -> None:
    world = sound_world()
    world.old.on(REACH, REFUSED.format("198.51.100.20"))
    world.new.on("CLK_TCK", "1000.0 100 5000 5000\n\0")
    assert brief(found(world)) == ["warn port-25 new"]


def test_a_port_that_the_run_closed_is_no_finding() -> None:
    world = sound_world()
    world.old.on(REACH, REFUSED.format("198.51.100.20"))
    world.new.on("nft.*list", "closed")
    assert list(ports.reach(both(world))) == []


def test_a_port_that_opens_between_two_looks_is_open() -> None:
    world = sound_world()
    answers = [REFUSED.format("198.51.100.20"), "reach 198.51.100.20\nconnected\n< banner 220 x\nended 0\n"]
    world.old.on(REACH, lambda *_: answers.pop(0))
    sendmail(world, "accepting connections")
    assert brief(found(world)) == ["pass port-25 new"]
    assert answers == []


def test_one_address_that_answers_is_enough() -> None:
    world = sound_world()
    answers = REFUSED.format("2001:db8::20") + "reach 198.51.100.20\nconnected\n< banner 220 x\nended 0\n"
    world.old.on(REACH, answers)
    assert brief(found(world)) == ["pass port-25 new"]


def test_an_old_host_without_a_program_for_it_is_a_warning() -> None:
    world = sound_world()
    world.old.on(REACH, "reach 198.51.100.20\nended 127\n")
    assert brief(found(world)) == ["warn port-25 new"]


def test_the_way_back_is_looked_at_too() -> None:
    world = sound_world()
    world.new.on(REACH, REFUSED.format("198.51.100.10"))
    assert brief(found(world)) == ["pass port-25 new", "warn way-back old"]
