"""Packets are lost without a word, between the operator's machine and the hosts, or between the hosts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.faults.breaking import ahead, broken, ending, finish
from tests.faults.outcome import Outcome
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 4.0
"""Messages a second; what comes in while a host is away is tried again by all senders at once."""
BEAT = 1.0
CUT = 30.0
"""For how many seconds a line is cut that comes back."""
BOUND = 240.0
"""Within how many seconds a run ends whose line does not come back."""
HOSTS = ("old", "new")
# A table of its own, which is no part of what a run reads and writes of the firewall.
DROP = "iptables -t raw {} PREROUTING -s {} -j DROP"


@contextmanager
def cut(lab: Lab, *, between_hosts: bool) -> Iterator[None]:
    """Lose every packet from the test machine to both hosts, or between the hosts, for the length of the block."""
    place = lab.place
    sources = {"old": place.new, "new": place.old} if between_hosts else dict.fromkeys(HOSTS, place.gateway)
    for role, source in sources.items():
        lab.shell(role, DROP.format("-I", source))
    try:
        yield
    finally:
        for role, source in sources.items():
            lab.shell(role, DROP.format("-D", source))


def cut_for_a_while(lab: Lab, *, between_hosts: bool) -> None:
    """Cut the line for CUT seconds."""
    with cut(lab, between_hosts=between_hosts):
        time.sleep(CUT)


def migrate_with_cuts(lab: Lab, outcome: Outcome, steps: Sequence[str], *, between_hosts: bool) -> None:
    """Migrate under traffic while the line is cut in each step."""
    with scene(lab, rate=RATE, beat=BEAT) as stage:
        if "presync" not in steps:
            ahead(lab, stage)
        for step in steps:
            seen = broken(lab, step, partial(cut_for_a_while, lab, between_hosts=between_hosts))
            if step == "presync":
                stage.readers.stop()
            outcome.hit(f"{step}: {ending(seen)}")
        finish(lab)
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("the network cut for 30 s, between the operator and both hosts")
@pytest.mark.parametrize("steps", [("presync", "relay"), ("final-copy",)], ids="-".join)
def test_the_operator_is_cut_off(lab: Lab, outcome: Outcome, steps: tuple[str, ...]) -> None:
    migrate_with_cuts(lab, outcome, steps, between_hosts=False)


@pytest.mark.fault("the network cut for 30 s, between the hosts")
@pytest.mark.parametrize("steps", [("presync",), ("final-copy",), ("flush",)], ids="-".join)
def test_the_hosts_are_cut_off_from_each_other(lab: Lab, outcome: Outcome, steps: tuple[str, ...]) -> None:
    migrate_with_cuts(lab, outcome, steps, between_hosts=True)


@pytest.mark.fault("the network cut for 30 s under `firewall`, between the operator and both hosts")
def test_the_operator_is_cut_off_while_both_ports_are_closed(firewall_lab: Lab, outcome: Outcome) -> None:
    migrate_with_cuts(firewall_lab, outcome, ["final-copy"], between_hosts=False)


@pytest.mark.fault("the network cut between the operator and both hosts, until the run gives up")
def test_a_run_that_stays_cut_off_ends(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE, beat=BEAT) as stage:
        ahead(lab, stage)
        with ExitStack() as until_it_gives_up:
            line = cut(lab, between_hosts=False)
            began = time.monotonic()
            seen = broken(lab, "relay", lambda: until_it_gives_up.enter_context(line))
            assert time.monotonic() - began < BOUND
        assert seen[-1]["kind"] == "ended"
        assert "run the same command again" in seen[-1]["advice"]
        outcome.hit(f"relay: {ending(seen)}, within {BOUND:.0f} s")
        finish(lab)
        outcome.settle(stage)
    expect_moved(lab)
