"""A migration is taken back after each of its steps, and then made again, all under traffic."""

from __future__ import annotations

import pytest

from migrator.steps import ordered
from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.test_rollback import changed, configuration
from tests.lab.world import expect_moved_back

RATE = 6.0
TTL_RESTORED = frozenset({"restore-ttl", "remove-key", "farewell"})
"""After these, caches may lead to the new host for an hour: it relays until then."""


def after_each(lab: Lab, outcome: Outcome, names: list[str]) -> None:
    """Migrate to the end of a step and go back, for one step after another, and hold the account to zero."""
    before = configuration(lab)
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        for name in names:
            succeed(lab, "run", "--until", name, "--yes", "--wait")
            succeed(lab, "rollback", "--yes")
            if name in TTL_RESTORED:
                lab.shell("new", "sh /var/lib/migrate/lab/put-back.*.sh 0")
            assert changed(before, configuration(lab)) == [], name
            outcome.hit("both hosts' configuration is as before, byte for byte")
        outcome.settle(stage, home="old")
    expect_moved_back(lab)


def steps(strategy: str, part: int, of: int) -> list[str]:
    return [step.name for step in ordered(strategy)][part::of]


@pytest.mark.fault("rolled back after a step, under hold, and migrated again")
@pytest.mark.parametrize("part", range(3))
def test_hold_goes_back_after_each_step(lab: Lab, outcome: Outcome, part: int) -> None:
    after_each(lab, outcome, steps("hold", part, 3))


@pytest.mark.fault("rolled back after a step, under firewall, and migrated again")
@pytest.mark.parametrize("part", range(3))
def test_firewall_goes_back_after_each_step(firewall_lab: Lab, outcome: Outcome, part: int) -> None:
    after_each(firewall_lab, outcome, steps("firewall", part, 3))


@pytest.mark.fault("rolled back after the end, and the new host's port looked at all the while")
def test_the_new_host_goes_on_answering(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        ended = stage.new_port.total
        succeed(lab, "rollback", "--yes")
        outcome.hit(f"closed for {stage.new_port.total - ended:.1f} s in all")
        outcome.settle(stage, home="old")


@pytest.mark.fault("a file edited between the end and a rollback")
def test_an_edited_file_is_refused(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        succeed(lab, "run", "--until", "open-new", "--yes", "--wait")
        lab.shell("old", "echo 'other.test error:nouser' >>/etc/mail/mailertable")
        refused = lab.migrate("rollback")
        assert refused.returncode == 3, refused.stderr
        assert "/etc/mail/mailertable on the old host" in refused.stderr
        assert "--force edited-files" in refused.stderr
        succeed(lab, "rollback", "--yes", "--force", "edited-files")
        outcome.hit("refused with 3, naming the file; --force put the file of before back")
        outcome.settle(stage, home="old")
    assert "other.test" not in lab.shell("old", "cat /etc/mail/mailertable 2>/dev/null || true")
