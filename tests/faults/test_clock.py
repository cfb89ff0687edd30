"""A clock jumps by an hour."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import running, start_of, succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
HOUR = 3600
LEAD = 180.0
DATE = """#!/bin/sh
if [ "$*" = +%s ]; then echo $(($(/usr/bin/date +%s) + SHIFT)); else exec /usr/bin/date "$@"; fi
"""


@dataclass
class OperatorClock:
    """The clock of the machine that runs `migrate`, which may be off by so many seconds from one moment on."""

    path: Path

    def jump(self, seconds: int) -> None:
        self.path.write_text(str(seconds))


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OperatorClock:
    monkeypatch.setenv("LAB_CLOCK", str(tmp_path / "shift"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).with_name("clock")))
    return OperatorClock(tmp_path / "shift")


@pytest.mark.fault(
    "the operator's clock jumps an hour, each way, between runs and while a run waits for caches"
)
def test_the_operators_clock(outcome: Outcome, clock: OperatorClock) -> None:
    with Lab(lead=f"{LEAD:.0f}s") as lab, scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        succeed(lab, "run", "--until", "backup")
        low = time.monotonic()
        clock.jump(HOUR)
        assert lab.migrate("run", "--until", "wait", "--yes").returncode == 75
        assert time.monotonic() - low < LEAD, "the wait would have been over by any clock"
        outcome.hit("ahead, between runs: the wait is not over for that (exit 75)")
        clock.jump(-HOUR)
        with running(lab) as run:
            run.wait_for(lambda event: event["kind"] == "step_waiting")
            clock.jump(HOUR)
            run.wait_for(start_of("catch-up"))
            waited = time.monotonic() - low
            assert run.end() == 1
        assert LEAD - 5 < waited < LEAD + 120
        outcome.hit("behind, then ahead while the run waits: it goes on when the TTL has run out", times=2)
        failed = next(event for event in run.seen if event["kind"] == "step_failed")
        assert failed["step"] == "move-dns"
        assert "set both by NTP" in failed["data"]["advice"] + failed["data"]["seen"]
        outcome.hit("a signed update an hour off: exit 1 says that the clock is wrong")
        clock.jump(0)
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
        expect_moved(lab)


@pytest.mark.fault("the clocks of both hosts an hour behind, as their `date` tells the time")
def test_the_hosts_clocks(lab: Lab, outcome: Outcome) -> None:
    # An hour ahead cannot be shown here: the times of files are the kernel's, which all containers share.
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        for role in ("old", "new"):
            text = DATE.replace("SHIFT", str(-HOUR))
            lab.shell(role, f"cat >/usr/local/bin/date <<'END'\n{text}END\nchmod 755 /usr/local/bin/date")
        told = succeed(lab, "check")
        assert told.count("behind this machine's") == 2
        succeed(lab, "run", "--yes", "--wait")
        outcome.hit("`check` warns of both; the run ends as it should", times=2)
        outcome.settle(stage)
    expect_moved(lab)
