"""A new host that nobody gets into goes by what is, not by what was done: its port is asked from the old host."""

from __future__ import annotations

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import running, succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 4.0
HIDING = "iptables -w 10 -{} INPUT -p tcp --dport 25 --syn -j REJECT --reject-with tcp-reset"
"""A rule of the new host's own, before all others: no look at the migration's rules sees it."""


@pytest.mark.fault("the new host hides its port 25 by rules of its own, seen only once mail waits")
def test_rules_that_hide_the_new_host(lab: Lab, outcome: Outcome) -> None:
    # What is shown here has nothing to do with how quick the machine is.
    lab.plan_path.write_text(lab.plan_path.read_text().replace("max_closed", 'budget = "300s"\nmax_closed'))
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait", "--until", "final-copy")
        stage.queue_on_old(3, "user01@example.test")
        lab.shell("new", HIDING.format("I"))
        with running(lab) as run:
            assert run.end() == 1, run.seen[-1]
        told = run.seen[-1]
        assert told["error"] == "GoBack", told
        assert "in open-to-old, and ended with: the old host does not get into port 25" in told["text"]
        undone = [event["step"] for event in run.seen if event["kind"] == "step_undone"]
        assert undone[-1] == "close-new"
        closed = [event["text"] for event in run.seen].index("close port 25 of the new host again")
        kinds = [event["kind"] for event in run.seen]
        assert closed < kinds.index("change_undone")
        assert not any("mail waited" in event["text"] for event in run.seen)
        refused = lab.migrate("check", "--json")
        assert refused.returncode == 3, refused.stdout
        lab.shell("new", HIDING.format("D"))
        outcome.hit(
            "exit 1: no mail was seen to arrive, so all is undone by itself; the next run moves the mail"
        )
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)
