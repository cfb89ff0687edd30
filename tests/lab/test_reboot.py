"""A host of the lab that reboots, and a new host that stays closed through it."""

from __future__ import annotations

import pytest

from tests.lab.driver import succeed
from tests.lab.lab import Lab, accepts
from tests.lab.snapshot import differences, snapshot
from tests.lab.world import expect_moved, expect_no_trace

pytestmark = pytest.mark.lab
RC_LINKS = "ls -l --time-style=+%s /etc/rc?.d"


def test_a_reboot_takes_what_runs_and_keeps_what_is_written(lab: Lab) -> None:
    before = snapshot(lab, "old")
    lab.shell("old", "echo left >/tmp/left; echo left >/run/left; setsid sleep 1000 & disown")
    lab.shell("old", "iptables -A INPUT -p tcp --dport 25 -j REJECT")
    lab.shell("old", "echo key >>/root/.ssh/authorized_keys")
    assert not accepts(lab.place.old, 25)
    lab.reboot("old")
    assert accepts(lab.place.old, 25)
    assert lab.shell("old", "ls /tmp; ls /run/left || true; pgrep -x -a sleep").count("1000") == 0
    assert lab.shell("old", "tail -n 1 /root/.ssh/authorized_keys") == "key\n"
    changed = [line for line in differences(before, snapshot(lab, "old")) if "/etc/mail" in line]
    assert changed == []


def test_what_is_disabled_stays_down_through_a_reboot(lab: Lab) -> None:
    lab.shell("new", "update-rc.d sendmail disable")
    lab.reboot("new")
    assert not accepts(lab.place.new, 25)


def test_the_new_host_stays_closed_through_a_reboot_until_the_copy_is_verified(lab: Lab) -> None:
    links = lab.shell("new", RC_LINKS)
    succeed(lab, "run", "--yes", "--wait", "--until", "close-new")
    lab.reboot("new")
    assert not accepts(lab.place.new, 25)
    # What a rollback brings back starts at boot as it did before.
    succeed(lab, "rollback", "--yes")
    assert lab.shell("new", RC_LINKS) == links
    expect_no_trace(lab, "new")
    lab.reboot("new")
    assert accepts(lab.place.new, 25)


@pytest.mark.parametrize("enabled", [True, False])
def test_what_was_enabled_is_enabled_after_the_migration_and_what_was_not_is_not(
    lab: Lab, enabled: bool
) -> None:
    if not enabled:
        lab.shell("new", "update-rc.d sendmail disable")
    links = lab.shell("new", RC_LINKS)
    succeed(lab, "run", "--yes", "--wait")
    expect_moved(lab)
    assert lab.shell("new", RC_LINKS) == links
