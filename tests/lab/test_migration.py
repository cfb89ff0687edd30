"""A whole migration on real hosts, under a stream of mail, and the account of every message."""

from __future__ import annotations

import pytest

from tests.lab.driver import change_of, events, killed_at, succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene, scene
from tests.lab.snapshot import differences, snapshot

pytestmark = pytest.mark.lab

CLOSED_SECONDS = 0.5


def migrate(lab: Lab, stage: Scene) -> None:
    succeed(lab, "run", "--until", "presync", "--yes")
    stage.readers.stop()
    succeed(lab, "run", "--yes", "--wait")


def test_hold_loses_nothing_and_no_sender_is_ever_refused(lab: Lab) -> None:
    with scene(lab) as stage:
        migrate(lab, stage)
        account = stage.end()
    assert account.clean, account.text()
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()
    refused = [message.token for message in stage.traffic.messages if message.refusals]
    assert not refused, f"{len(refused)} messages had to be tried again:\n{account.text()}\n{stage.ports()}"


def test_firewall_loses_nothing(firewall_lab: Lab) -> None:
    with scene(firewall_lab) as stage:
        migrate(firewall_lab, stage)
        account = stage.end()
    assert account.clean, account.text()


def test_a_dry_run_changes_no_file_on_either_host(lab: Lab) -> None:
    before = {host: snapshot(lab, host) for host in ("old", "new")}
    told = succeed(lab, "run", "--dry-run")
    for host in ("old", "new"):
        assert not differences(before[host], snapshot(lab, host))
    assert not lab.state_path.exists()
    assert "+example.test\tesmtp:" in told, "the mailertable's diff is shown"
    assert "/var/spool/mail/" in told, "the copy is shown"


def test_a_run_that_is_killed_in_every_phase_still_loses_nothing(lab: Lab) -> None:
    steps = (
        *("backup", "exempt-old", "install-key", "presync", "catch-up", "close-new", "relay", "final-copy"),
        *("open-to-old", "open-new", "move-dns", "smoke", "redirect-webmail", "remove-key"),
    )
    with scene(lab) as stage:
        for step in steps:
            if step == "catch-up":
                stage.readers.stop()
            assert killed_at(lab, change_of(step)) == -9
        succeed(lab, "resume", "--yes", "--wait")
        account = stage.end()
    assert account.clean, account.text()
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()


def test_a_restart_that_lies_does_not_deceive(lying_lab: Lab) -> None:
    with scene(lying_lab) as stage:
        migrate(lying_lab, stage)
        account = stage.end()
    assert account.clean, account.text()


def test_before_the_new_host_opens_rollback_leaves_the_old_host_as_it_was(lab: Lab) -> None:
    before = {host: snapshot(lab, host) for host in ("old", "new")}
    succeed(lab, "run", "--until", "drain", "--yes", "--wait")
    succeed(lab, "rollback", "--yes")
    for host in ("old", "new"):
        changed = [path for path in differences(before[host], snapshot(lab, host)) if "/etc/" in path]
        assert not changed, f"{host}: {changed}"
    succeed_delivery(lab)


def succeed_delivery(lab: Lab) -> None:
    """A message to the old host lands in its own mailbox again."""
    with scene(lab, rate=5.0, reading=0.0) as stage:
        stage.traffic.finish()
    assert stage.traffic.accepted or not stage.traffic.messages


def test_the_finished_run_says_so_and_a_second_one_does_nothing(lab: Lab) -> None:
    succeed(lab, "run", "--yes", "--wait")
    again = events(lab, "run", "--yes")
    assert not [event for event in again if event["kind"] == "change_planned"]
    assert lab.migrate("resume").returncode == 2


def test_an_unknown_host_key_is_refused_with_what_to_do(lab: Lab) -> None:
    (lab.folder / "known_hosts").write_text("")
    done = lab.migrate("run", "--yes")
    assert done.returncode == 1
    assert "host key" in done.stderr
    assert "ssh-keyscan" in done.stderr


def test_a_wrong_host_key_is_refused_with_what_to_do(lab: Lab) -> None:
    known = lab.folder / "known_hosts"
    old, new = lab.place.old, lab.place.new
    lines = known.read_text().replace(old, "x").replace(new, old).replace("x", new)
    known.write_text(lines)
    done = lab.migrate("run", "--yes")
    assert done.returncode == 1
    assert "host key" in done.stderr
    assert "ssh-keygen -R" in done.stderr
