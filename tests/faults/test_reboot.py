"""A host reboots: what ran is gone, with its firewall rules and timers, and what is enabled starts."""

from __future__ import annotations

from functools import partial

import pytest

from tests.faults.breaking import ahead, broken, ending, finish, started_over
from tests.faults.outcome import Outcome
from tests.lab.driver import Event
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 4.0
"""Messages a second; what comes in while a host is away is tried again by all senders at once."""
BEAT = 1.0


def migrate_with_reboots(lab: Lab, outcome: Outcome, role: str, *steps: str) -> list[Event]:
    """Migrate under traffic while a host reboots in each step, and after the end; return what happened."""
    seen: list[Event] = []
    with scene(lab, rate=RATE, beat=BEAT) as stage:
        # Readers would be ended by the reboot as well, with the list of what they deleted.
        stage.readers.stop()
        if "presync" not in steps:
            ahead(lab, stage)
        for step in steps:
            seen += broken(lab, step, partial(lab.reboot, role))
            outcome.hit(f"{step}: {ending(seen)}")
        seen += finish(lab)
        lab.reboot(role)
        outcome.hit("after the end: all stayed as it was")
        outcome.settle(stage)
    expect_moved(lab)
    return seen


@pytest.mark.fault("the old host rebooted, under `hold`")
@pytest.mark.parametrize("steps", [("presync", "relay"), ("drain", "final-copy"), ("flush",)], ids="-".join)
def test_the_old_host_reboots_under_hold(lab: Lab, outcome: Outcome, steps: tuple[str, ...]) -> None:
    migrate_with_reboots(lab, outcome, "old", *steps)


@pytest.mark.fault("the old host rebooted, under `firewall`: its port opens")
@pytest.mark.parametrize("step", ["move-dns", "final-copy"])
def test_the_old_host_reboots_under_firewall(firewall_lab: Lab, outcome: Outcome, step: str) -> None:
    seen = migrate_with_reboots(firewall_lab, outcome, "old", step)
    # A pass that rides the reboot out is proved by `settle`, once the relay is loaded.
    assert "close-old" in started_over(seen) or step == "final-copy"


@pytest.mark.fault("the new host rebooted, under `hold`")
@pytest.mark.parametrize(
    "steps", [("presync", "relay"), ("final-copy",), ("open-to-old", "flush")], ids="-".join
)
def test_the_new_host_reboots_under_hold(lab: Lab, outcome: Outcome, steps: tuple[str, ...]) -> None:
    seen = migrate_with_reboots(lab, outcome, "new", *steps)
    if "relay" in steps or "final-copy" in steps:
        assert "close-new" in started_over(seen)


@pytest.mark.fault("the new host rebooted, under `firewall`")
@pytest.mark.parametrize("step", ["final-copy", "open-new"])
def test_the_new_host_reboots_under_firewall(firewall_lab: Lab, outcome: Outcome, step: str) -> None:
    seen = migrate_with_reboots(firewall_lab, outcome, "new", step)
    if step == "final-copy":
        assert "close-new" in started_over(seen)
