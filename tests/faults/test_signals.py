"""SIGINT, SIGTERM and SIGHUP in every phase, a second Ctrl-C, and nobody who reads what is said."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.faults.kills import journal
from tests.faults.outcome import Outcome
from tests.lab.driver import change_of, running, succeed
from tests.lab.lab import PROJECT, Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved, expect_moved_back

RATE = 8.0
STOPPED = 130

PREPARE = (
    ("backup", signal.SIGINT),
    ("exempt-old", signal.SIGTERM),
    ("install-key", signal.SIGHUP),
    ("presync", signal.SIGINT),
    ("presync", signal.SIGTERM),
    ("presync", signal.SIGHUP),
)
MOVE = (
    ("catch-up", signal.SIGHUP),
    ("close-new", signal.SIGTERM),
    ("relay", signal.SIGINT),
    ("relay", signal.SIGHUP),
    ("final-copy", signal.SIGTERM),
    ("final-copy", signal.SIGHUP),
    ("final-copy", signal.SIGINT),
    ("open-to-old", signal.SIGINT),
    ("open-new", signal.SIGTERM),
    ("smoke", signal.SIGHUP),
    ("smoke", signal.SIGTERM),
    ("smoke", signal.SIGINT),
    ("redirect-webmail", signal.SIGTERM),
    ("remove-key", signal.SIGHUP),
    ("remove-key", signal.SIGINT),
)


def stop_in(lab: Lab, outcome: Outcome, step: str, sign: signal.Signals, *, twice: bool = False) -> None:
    """Stop a run in the first change of a step; raise AssertionError where it does not end as it should."""
    with running(lab) as run:
        run.wait_for(change_of(step))
        if twice:
            run.process.send_signal(sign)
        code = run.end(sign)
    assert code == STOPPED, f"{step}: {sign.name}: {code}: {run.seen[-3:]}"
    lines = [json.loads(line) for line in journal(lab)]
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    if not twice:
        assert (lines[-1]["kind"], lines[-1]["step"]) == ("interrupted", step)
        assert lines[-1]["text"], "it says what was under way"
        told = next(event for event in reversed(run.seen) if event["kind"] == "interrupted")
        assert told["text"] == lines[-1]["text"]
        assert sign.name in run.seen[-1]["text"]
    outcome.hit("exit 130, the journal whole, and the next run went on")


@pytest.mark.fault("SIGINT, SIGTERM or SIGHUP, in every phase")
def test_a_run_is_stopped_in_every_phase(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        for step, sign in PREPARE:
            stop_in(lab, outcome, step, sign)
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for step, sign in MOVE:
            stop_in(lab, outcome, step, sign)
        succeed(lab, "resume", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("Ctrl-C twice")
def test_ctrl_c_is_typed_twice(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        stop_in(lab, outcome, "presync", signal.SIGINT, twice=True)
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for step in ("relay", "final-copy", "open-to-old"):
            stop_in(lab, outcome, step, signal.SIGINT, twice=True)
        succeed(lab, "resume", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("a rollback stopped by SIGINT, SIGTERM or SIGHUP")
def test_a_rollback_is_stopped(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--until", "final-copy", "--yes", "--wait")
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            stop_rollback(lab, sign)
            outcome.hit("exit 130, and the next rollback went on")
        refused = lab.migrate("run", "--yes")
        assert refused.returncode == 3, refused.stderr
        assert "migrate rollback" in refused.stderr
        succeed(lab, "rollback", "--yes")
        outcome.settle(stage, home="old")
    expect_moved_back(lab)


def stop_rollback(lab: Lab, sign: signal.Signals) -> None:
    """Stop a rollback at its next undone change; raise AssertionError where it does not end as it should."""
    argv = lab.migrate_argv("rollback", "--yes", "--json")
    with subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["kind"] == "change_undone":
                process.send_signal(sign)
                break
        process.communicate()
    assert process.returncode == STOPPED
    assert json.loads(journal(lab)[-1])["kind"] == "interrupted"


@pytest.mark.fault("nobody reads what a run says any more (a closed pipe)")
def test_the_pipe_is_closed(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        for options in (("--until", "presync"), ("--json", "--yes", "--wait")):
            argv = lab.migrate_argv("run", *options)
            with subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline()
                process.stdout.close()
                assert process.wait() == 0
            stage.readers.stop()
            outcome.hit("the run went on to its end without anybody to tell")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.fixture
def patient_lab() -> Iterator[Lab]:
    """Yield a fresh lab whose plan waits for a minute, which a slow machine does not spend on the way there."""
    with Lab(lead="60s") as running_lab:
        yield running_lab


@pytest.mark.fault("stopped while it waits for old caches")
def test_a_wait_is_stopped(patient_lab: Lab, outcome: Outcome) -> None:
    lab = patient_lab
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with running(lab) as run:
                run.wait_for(lambda event: event["kind"] == "step_waiting")
                began = time.monotonic()
                assert run.end(sign) == STOPPED
            assert time.monotonic() - began < 10.0
            outcome.hit("exit 130 at once, and the next run waited for the rest")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)
