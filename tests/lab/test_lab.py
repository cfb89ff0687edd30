"""The lab itself: mail flows, people read it, and the account misses nothing that is done to it."""

from __future__ import annotations

import time

import pytest

from tests.lab.account import take
from tests.lab.lab import Lab
from tests.lab.message import MAILDIR_USERS, USERS
from tests.lab.probe import PortProbe
from tests.lab.readers import Readers
from tests.lab.recipe import point_mail_host_at
from tests.lab.scan import Scan, scan, seeded, settle
from tests.lab.snapshot import differences, snapshot
from tests.lab.traffic import Traffic
from tests.lab.world import address_records

pytestmark = pytest.mark.lab
NOTHING = Scan({}, {}, [])


def old_only(lab: Lab) -> Scan:
    """What is on the old host, without the folders that are in their place there."""
    found = scan(lab, "old")
    assert len(found.left) == 2 * len(USERS)
    return Scan(found.kept, found.queued, [])


def test_the_stream_is_accepted_and_accounted_for_on_the_old_host(lab: Lab) -> None:
    seeds = seeded(lab)
    with PortProbe(lab.place.old) as probe, Readers(lab) as readers, Traffic(lab.place) as traffic:
        time.sleep(10)
        assert traffic.finish(30) == []
    assert settle(lab)
    assert len(traffic.messages) >= 140
    assert {message.accepted_by for message in traffic.messages} == {lab.place.old}
    assert readers.deleted
    assert probe.tries > 100
    assert probe.longest < 0.5

    before = old_only(lab)
    account = take(before, NOTHING, messages=traffic.messages, seeds=seeds, deleted=readers.deleted)
    assert account.clean, account.text()
    assert len(account.delivered) > len(seeds)

    elsewhere = take(
        scan(lab, "new"), before, messages=traffic.messages, seeds=seeds, deleted=readers.deleted
    )
    assert len(elsewhere.stranded) == len(account.delivered)
    assert elsewhere.left_over == []


def test_the_account_sees_a_message_deleted_or_copied_by_hand(lab: Lab) -> None:
    seeds = seeded(lab)
    maildir = f"/var/www/web1/user/{MAILDIR_USERS[0]}/Maildir/new"
    doubled, lost = lab.shell("old", f"grep -h X-Lab-Token {maildir}/* | cut -d' ' -f2 | head -2").split()
    lab.shell("old", f"cp $(grep -l 'Token: {doubled}$' {maildir}/*) {maildir}/1.copy")
    lab.shell("old", f"rm $(grep -l 'Token: {lost}$' {maildir}/*)")
    lab.shell("old", "truncate -s -9 /var/mail/user01")

    account = take(old_only(lab), NOTHING, seeds=seeds)
    assert account.doubled == [(doubled, MAILDIR_USERS[0])]
    assert account.lost == [(lost, MAILDIR_USERS[0])]
    assert account.damaged == [("seed-user01-10", "user01")]


def test_the_probe_sees_a_closed_port(lab: Lab) -> None:
    with PortProbe(lab.place.new) as probe:
        lab.shell("new", "iptables -I INPUT -p tcp --dport 25 -j DROP; sleep 1; iptables -D INPUT 1")
        while not probe.closed:
            time.sleep(0.05)
    assert 0.9 < probe.longest < 2


def test_a_snapshot_sees_every_change_and_no_mere_visit(lab: Lab) -> None:
    before = snapshot(lab, "old")
    lab.shell("old", "cat /etc/mail/access; sendmail -bv user01@example.test")
    assert differences(before, snapshot(lab, "old")) == []
    lab.shell("old", "touch /etc/mail/mailertable; chmod 600 /etc/mail/sendmail.mc")
    assert [line.split(":")[:2] for line in differences(before, snapshot(lab, "old"))] == [
        ["new", " /etc/mail/mailertable"],
        ["changed", " /etc/mail/sendmail.mc"],
    ]


def test_without_tracing_a_restart_lies(lying_lab: Lab) -> None:
    running = "pgrep -o -f 'sendmail: MTA: accepting'"
    before = lying_lab.shell("old", running)
    code, _ = lying_lab.exec("old", "service", "sendmail", "restart")
    assert code == 0
    assert lying_lab.shell("old", running) == before


def test_two_labs_run_side_by_side_and_a_secondary_follows_the_primary(lab: Lab) -> None:
    with Lab(secondary=True, seed=1) as other:
        assert other.place != lab.place
        assert other.shell("new", "hostname -i").strip() == other.place.new
        point_mail_host_at(other, other.place.new)
        deadline = time.monotonic() + 20
        while list(address_records(other.place.secondary)) != [other.place.new]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert list(address_records(other.place.dns)) == [other.place.new]
    assert list(address_records(lab.place.dns)) == [lab.place.old]
