"""Name servers that err, lag, refuse or lie while the mail host's address moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.opcode
import dns.rcode
import pytest

from tests.faults import hostile
from tests.faults.hostile import HostileServer, Mood
from tests.faults.mail_host import calm, expect_words, refused
from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene
from tests.lab.test_killed import expect_mail_at_old, wait_until_open
from tests.lab.world import address_records, expect_moved

STUCK = "not every authoritative name server answers"

ANSWERS: dict[str, tuple[Mood, tuple[str, ...]]] = {
    "lame": (hostile.lame, (STUCK, "lame: it answers without authority")),
    "REFUSED": (hostile.saying(dns.rcode.REFUSED), (STUCK, "REFUSED: it does not answer this machine")),
    "SERVFAIL": (hostile.saying(dns.rcode.SERVFAIL), (STUCK, "SERVFAIL: the server cannot answer")),
    "silent": (hostile.silent, (STUCK, "no usable reply within 6 s")),
    "cut off": (hostile.cut, (STUCK, "the reply is cut off, over TCP as well")),
}
LIES: dict[str, tuple[Mood, tuple[str, ...]]] = {
    "another number": (hostile.forged, (STUCK, "no usable reply within 6 s")),
    "garbage": (hostile.garbage, (STUCK, "no usable reply within 6 s")),
    "500 addresses": (
        hostile.records("A", *(f"10.0.{number // 250}.{number % 250 + 1}" for number in range(500))),
        (STUCK, "500 addresses, more than is believable"),
    ),
    "an alias of itself": (
        hostile.records("CNAME", "mail.example.test."),
        (STUCK, "is an alias of mail.example.test."),
    ),
    "an alias with odd bytes": (
        hostile.records("CNAME", "\\000\\027[31m\\255\\010.example.test."),
        (STUCK, "is an alias of \\000\\027[31m\\255\\010.example.test."),
    ),
}


@contextmanager
def beside(lab: Lab) -> Iterator[tuple[HostileServer, HostileServer]]:
    """Yield two servers that the plan names from now on: the one that is asked, and the one that takes updates."""
    gateway, real = lab.place.gateway, lab.place.dns
    with HostileServer(gateway, real) as asked, HostileServer(gateway, real) as updated:
        text = lab.plan_path.read_text()
        text = text.replace(f'nameservers = ["{real}"]', f'nameservers = ["{asked.place}"]')
        text = text.replace(f'server = "{real}"', f'server = "{gateway}"\nport = {updated.port}')
        lab.plan_path.write_text(text)
        yield asked, updated


def copied(lab: Lab, stage: Scene) -> None:
    """Bring the migration to the point before the cutover."""
    succeed(lab, "run", "--until", "presync")
    stage.readers.stop()


def expect_stuck(lab: Lab, stage: Scene, server: HostileServer, *words: str) -> None:
    """Run into a server that errs, and see that all is told while mail flows on."""
    told = refused(lab, 1)
    expect_words(told, "step move-dns", "expected", "seen", server.place, "to do", *words)
    assert set(address_records(lab.place.dns)) == {lab.place.old}
    expect_mail_at_old(lab, stage, since=time.time(), seconds=90.0)


@pytest.mark.fault(
    "a name server is lame, refuses, fails, is silent or cuts its answers off while the DNS moves"
)
def test_a_name_server_errs(lab: Lab, outcome: Outcome) -> None:
    with beside(lab) as (asked, _), calm(lab) as stage:
        asked.mood = hostile.lame
        for told in (refused(lab, 3, command="check"), refused(lab, 3, "--dry-run"), refused(lab, 3)):
            expect_words(told, asked.place, "lame", "mend the server or the delegation")
        asked.mood = hostile.honest
        copied(lab, stage)
        for name, (mood, words) in ANSWERS.items():
            asked.mood = mood
            expect_stuck(lab, stage, asked, *words)
            outcome.hit(f"{name}: exit 1 names the server and the cure, mail flows on by the relay")
        asked.mood = hostile.honest
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault(
    "a name server lies: another number, garbage, 500 addresses, aliases of itself and with odd bytes"
)
def test_a_name_server_lies(lab: Lab, outcome: Outcome) -> None:
    with beside(lab) as (asked, _), calm(lab) as stage:
        copied(lab, stage)
        for name, (mood, words) in LIES.items():
            asked.mood = mood
            expect_stuck(lab, stage, asked, *words)
            outcome.hit(f"{name}: exit 1, and it is not believed")
        asked.mood = hostile.flooding
        succeed(lab, "run", "--yes", "--wait")
        outcome.hit("60,000 bytes of text beside an answer: passed over")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("a name server takes five seconds for every answer")
def test_a_name_server_is_slow(lab: Lab, outcome: Outcome) -> None:
    with beside(lab) as (asked, updated), calm(lab) as stage:
        copied(lab, stage)
        asked.mood = updated.mood = hostile.slow
        succeed(lab, "run", "--yes", "--wait", "--until", "move-dns")
        outcome.hit("it is waited for")
        asked.mood = updated.mood = hostile.honest
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


WRONG = "d3Jvbmcgc2VjcmV0IG9mIDMyIGJ5dGVzIGZvciBhIHRlc3Q=\n"
OTHER_KEY = 'sed -i \'s/key "\\?lab\\."\\?/key "other."/g\' /etc/bind/named.conf && pkill -HUP -x named'
SAME_KEY = 'sed -i \'s/key "other\\."/key "lab."/g\' /etc/bind/named.conf && pkill -HUP -x named'


@pytest.mark.fault(
    "the primary refuses the update or the key, fails, cannot be reached, or its answer gets lost"
)
def test_the_update_fails(lab: Lab, outcome: Outcome) -> None:
    with beside(lab) as (_, updated), calm(lab) as stage:
        copied(lab, stage)
        for code, words in ((dns.rcode.REFUSED, "update-policy"), (dns.rcode.SERVFAIL, "see its log")):
            updated.mood = only_updates(hostile.saying(code))
            expect_stuck(lab, stage, updated, dns.rcode.to_text(code), words)
            outcome.hit(f"{dns.rcode.to_text(code)}: exit 1 says what to allow; mail flows on by the relay")
        updated.mood = hostile.honest
        secret = lab.folder / "tsig.key"
        right = secret.read_text()
        secret.write_text(WRONG)
        expect_stuck(lab, stage, updated, "BADSIG", "another secret or algorithm under this key's name")
        secret.write_text(right)
        lab.shell("dns", OTHER_KEY)
        expect_stuck(lab, stage, updated, "BADKEY", "check dns.rfc2136.key_name")
        lab.shell("dns", SAME_KEY)
        outcome.hit("BADSIG, BADKEY: exit 1 says which of key and secret is wrong", times=2)
        updated.mood = only_updates(hostile.silent)
        expect_stuck(lab, stage, updated, "no reply", "the change may have been made")
        updated.mood = only_updates(hostile.deaf_after)
        expect_words(refused(lab, 1), "move-dns", "the change may have been made")
        outcome.hit("silence, a lost answer: exit 1, and the next run looks what the server holds", times=2)
        updated.mood = hostile.honest
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


def only_updates(mood: Mood) -> Mood:
    """Return the mood of a server that answers questions as the real one does, and has this mood for updates."""

    def answer(query: dns.message.Message, tcp: bool, ask: hostile.Honest) -> bytes | None:
        return (mood if query.opcode() == dns.opcode.UPDATE else hostile.honest)(query, tcp, ask)

    return answer


@pytest.mark.fault("the update is refused under `firewall`, while port 25 of both hosts is closed")
def test_the_update_fails_behind_closed_ports(brief_firewall_lab: Lab, outcome: Outcome) -> None:
    lab = brief_firewall_lab
    with beside(lab) as (_, updated), calm(lab) as stage:
        copied(lab, stage)
        updated.mood = only_updates(hostile.saying(dns.rcode.REFUSED))
        expect_words(refused(lab, 1), "step move-dns", "REFUSED", updated.place)
        wait_until_open(lab.place.old, 60.0)
        expect_mail_at_old(lab, stage, since=time.time(), seconds=90.0)
        outcome.hit("exit 1; the old port opens by itself, and the next run begins the cutover anew")
        updated.mood = hostile.honest
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.fixture
def twin_lab() -> Iterator[Lab]:
    """Yield a fresh lab with two authoritative name servers."""
    with Lab(secondary=True) as running:
        yield running


TRANSFERS = "iptables {} OUTPUT -p {} -d {} --dport 53 -j DROP"


@pytest.mark.fault("one of two authoritative servers does not take the change over")
def test_one_of_two_servers_is_stale(twin_lab: Lab, outcome: Outcome) -> None:
    lab = twin_lab

    def transfers(verb: str) -> None:
        for protocol in ("tcp", "udp"):
            lab.shell("secondary", TRANSFERS.format(verb, protocol, lab.place.dns))

    with calm(lab) as stage:
        copied(lab, stage)
        succeed(lab, "run", "--yes", "--wait", "--until", "open-new")
        transfers("-I")
        told = refused(lab, 75, wait=False)
        expect_words(
            told, "step move-dns", lab.place.secondary, f"gives A {lab.place.old}", "transfer the zone"
        )
        assert set(address_records(lab.place.dns)) == {lab.place.new}
        assert set(address_records(lab.place.secondary)) == {lab.place.old}
        expect_mail_at_old(lab, stage, since=time.time(), seconds=90.0)
        outcome.hit("exit 75 names the server and what it says; mail of both addresses is taken meanwhile")
        transfers("-D")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)
