"""The way back, at any time: the old host is as it was, with every message of meanwhile."""

from __future__ import annotations

import time

import pytest

from tests.lab.driver import change_of, events, running, succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene, scene
from tests.lab.snapshot import snapshot
from tests.lab.world import expect_moved_back

pytestmark = pytest.mark.lab

CLOSED_SECONDS = 5.0
"""What `hold` promises is measured apart, in test_hold; here the port must only not stay closed."""
RATE = 8.0
HOSTS = ("old", "new")


def configuration(lab: Lab) -> dict[str, dict[str, str]]:
    """Return mode, owner and content of every file in /etc of both hosts.

    The maps made by makemap are left out: their bytes differ each time, for equal content.
    """
    return {host: _configuration(lab, host) for host in HOSTS}


def _configuration(lab: Lab, host: str) -> dict[str, str]:
    found = {}
    for path, facts in snapshot(lab, host).items():
        mode, owner, _, content = facts.split(" ", 3)
        if path.startswith("/etc/") and not path.endswith(".db"):
            found[path] = f"{mode} {owner} {content}"
    return found


def changed(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """Return what is not as before."""
    return [
        f"{host}: {path}: {before[host].get(path)} -> {after[host].get(path)}"
        for host in HOSTS
        for path in sorted(before[host].keys() | after[host].keys())
        if before[host].get(path) != after[host].get(path)
    ]


def to_the_final_copy(lab: Lab, stage: Scene) -> None:
    """Migrate until both hosts hold the same mail and the new one is still closed; nobody may run beside."""
    with running(lab, "--until", "presync") as run:
        run.wait_for(change_of("presync"))
        second = lab.migrate("run", "--yes")
        assert run.end() == 0
    assert second.returncode == 4, second.stderr
    assert str(run.process.pid) in second.stderr
    stage.readers.stop()
    succeed(lab, "run", "--until", "final-copy", "--yes", "--wait")


def rehearse_the_way_back(lab: Lab) -> None:
    """Raise AssertionError where the dry run of a rollback changes anything, or does not say what it would do."""
    before, journal = configuration(lab), (lab.state_path / "journal.jsonl").read_bytes()
    previews = [event for event in events(lab, "rollback", "--dry-run") if event["kind"] == "change_preview"]
    assert {"relay", "close-new", "install-key", "exempt-old"} <= {event["step"] for event in previews}
    assert changed(before, configuration(lab)) == []
    assert (lab.state_path / "journal.jsonl").read_bytes() == journal


def edit_the_plan(lab: Lab) -> None:
    """Take a tree out of the plan and give it the other strategy, which no rollback may go by."""
    text = lab.plan_path.read_text()
    for before, after in (
        ('[[sync]]\nfrom = "/var/spool/mail/"\nto = "/var/spool/mail/"\n', ""),
        (f'"{lab.strategy}"', '"firewall"' if lab.strategy == "hold" else '"hold"'),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    lab.plan_path.write_text(text)


def expect_a_question(lab: Lab) -> None:
    """Raise AssertionError where a rollback moves mail back though nobody can be asked, or does anything then."""
    before, journal = configuration(lab), (lab.state_path / "journal.jsonl").read_bytes()
    refused = lab.migrate("rollback")
    assert refused.returncode == 3, refused.stderr
    assert f"migrate rollback {lab.plan_path} --yes" in " ".join(refused.stderr.split())
    assert changed(before, configuration(lab)) == []
    assert (lab.state_path / "journal.jsonl").read_bytes() == journal


def slow_down(lab: Lab, user: str) -> None:
    """Let deliveries to a user's mailbox on the old host take two seconds, as a full disk or a filter does."""
    lab.shell("old", f"sed -i '1i PAUSE=`sleep 2`' /var/www/web1/user/{user}/.procmailrc")


def test_hold_can_go_back_before_the_new_host_opens(lab: Lab) -> None:
    before = configuration(lab)
    slow_down(lab, "user11")
    with scene(lab, rate=RATE) as stage:
        # Reloads ahead: one that ends a queue run in the middle of a delivery doubles the message.
        stage.queue_on_old(1, "user11@example.test")
        to_the_final_copy(lab, stage)
        rehearse_the_way_back(lab)
        succeed(lab, "rollback", "--yes")
        account = stage.end(home="old")
    assert account.clean, stage.told(account)
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()
    assert changed(before, configuration(lab)) == []
    expect_moved_back(lab)


def test_firewall_can_go_back_before_the_new_host_opens(firewall_lab: Lab) -> None:
    before = configuration(firewall_lab)
    with scene(firewall_lab, rate=RATE) as stage:
        to_the_final_copy(firewall_lab, stage)
        succeed(firewall_lab, "rollback", "--yes")
        account = stage.end(home="old")
    assert account.clean, stage.told(account)
    assert changed(before, configuration(firewall_lab)) == []
    expect_moved_back(firewall_lab)


def test_hold_can_go_back_after_the_new_host_took_mail(lab: Lab) -> None:
    before = configuration(lab)
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--until", "smoke", "--yes", "--wait")
        expect_mail_at(stage, lab.place.new)
        succeed(lab, "rollback", "--yes")
        expect_mail_at(stage, lab.place.old)
        account = stage.end(home="old")
    assert account.clean, stage.told(account)
    assert stage.old_port.longest < CLOSED_SECONDS, stage.ports()
    assert changed(before, configuration(lab)) == []
    expect_moved_back(lab)


def test_firewall_can_go_back_after_the_end_and_the_new_host_relays_until_caches_are_dry(
    firewall_lab: Lab,
) -> None:
    lab = firewall_lab
    before = configuration(lab)
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        expect_mail_at(stage, lab.place.new)
        edit_the_plan(lab)
        expect_a_question(lab)
        told = succeed(lab, "rollback", "--yes")
        assert "the plan was edited since it was run" in told
        assert "by a timer there" in told
        # The TTL of the end is an hour: until then senders may come to the new host, which hands their mail on.
        expect_mail_at(stage, lab.place.old)
        account = stage.end(home="old")
    assert account.clean, stage.told(account)
    assert [line for line in changed(before, configuration(lab)) if line.startswith("old:")] == []
    assert "esmtp" in lab.shell("new", "sendmail -bv user01@example.test")
    lab.shell("new", "sh /var/lib/migrate/lab/put-back.*.sh 0")
    assert changed(before, configuration(lab)) == []
    expect_moved_back(lab)


def expect_mail_at(stage: Scene, address: str, seconds: float = 30.0) -> None:
    """Wait until a host has taken a message from now on. Raise AssertionError where it does not."""
    since = time.time()
    while not any(
        message.accepted_by == address and (message.accepted_at or 0.0) > since
        for message in stage.traffic.accepted
    ):
        assert time.time() < since + seconds, f"no mail came to {address}"
        time.sleep(0.1)
