"""The old host is lost for good in the middle of the cutover, and the new one ends the migration alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import pytest
from docker.client import DockerClient

from tests.faults.kills import journal
from tests.faults.mail_host import expect_words, refused
from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab, accepts
from tests.lab.scan import Key, scan
from tests.lab.scene import Scene, scene
from tests.lab.world import address_records

RATE = 4.0
WORD = "--force", "old-host-lost"
DELIVERY_SECONDS = 30.0
"""How long a message that was accepted may take into its mailbox on a crowded machine."""


def lose(lab: Lab, stage: Scene) -> None:
    """Take the old host off the network for good. Its disk can still be looked at, which no run can."""
    client = DockerClient.from_env()
    try:
        container = client.containers.get(lab.container_id("old"))
        for network in container.attrs["NetworkSettings"]["Networks"]:
            client.networks.get(network).disconnect(container, force=True)
    finally:
        client.close()
    # Who never asks the DNS again would hold his mail until he gives it up.
    stage.traffic.stale_share = 0.0
    for message in stage.traffic.unsettled():
        message.stale = False


def begin_of_the_last_pass(lab: Lab) -> float:
    """Return when the last pass that was whole began, in seconds since the epoch."""
    begin = whole = 0.0
    for event in map(json.loads, journal(lab)):
        text = event["text"] or ""
        when = datetime.fromisoformat(event["time"]).timestamp()
        if event["kind"] == "change_planned" and text.endswith(" begins"):
            begin = when
        elif event["kind"] == "change_done" and text.endswith(" is whole"):
            whole = begin
    assert whole, "no pass was whole"
    return whole


def lost_after(lab: Lab, outcome: Outcome, step: str, *words: str) -> None:
    """Lose the old host after a step; hold what the run says against what is only on the old host's disk."""
    with scene(lab, rate=RATE, beat=0.5) as stage:
        stage.readers.stop()
        succeed(lab, "run", "--until", step, "--yes", "--wait")
        told = refused(lab, 3, *WORD)
        expect_words(told, "the old host answers, so it is not lost")
        lose(lab, stage)
        told = refused(lab, 1)
        expect_words(
            told, "lost for good", "its mailboxes are on the new host as they were at", " ".join(WORD)
        )
        home = lab.migrate("rollback", "--yes")
        assert home.returncode == 1, home.stderr
        expect_words(" ".join(home.stderr.split()), "no way home without the old host")
        told = " ".join(succeed(lab, "run", "--yes", "--wait", *WORD).split())
        expect_words(
            told, "is left out: it needs the old host", "user01", "in the new host's queue wait", *words
        )
        assert address_records(lab.place.dns) == {lab.place.new: 3600}
        account = stage.end(roles=("new",))
        gone, account.stranded = account.stranded, []
        outcome.count(account)
        assert account.clean, stage.told(account)
        assert accepts(lab.place.new, 25)
        expect_told(stage, gone)
    outcome.hit(
        "exit 1 with what is where; --force old-host-lost: the new host serves, and what went is told"
    )


def expect_told(stage: Scene, gone: Sequence[Key]) -> None:
    """Raise AssertionError where a message is only on the old host that was neither queued nor newer than the copy."""
    sent = {message.token: message for message in stage.traffic.messages}
    begin, queued = begin_of_the_last_pass(stage.lab), scan(stage.lab, "old").queued
    for token, mailbox in gone:
        assert token in sent, f"{token} of {mailbox} was there before the run, and is not on the new host"
        assert sent[token].accepted_by == stage.lab.place.old, token
        late = (sent[token].accepted_at or 0.0) > begin - DELIVERY_SECONDS
        assert token in queued or late, f"{token} of {mailbox} is told nowhere"


@pytest.mark.fault("the old host lost for good in the middle of the cutover")
def test_before_the_final_copy(lab: Lab, outcome: Outcome) -> None:
    lost_after(lab, outcome, "sweep", "old host's mailboxes after sweep", "old host's queue went with it")


@pytest.mark.fault("the old host lost for good in the middle of the cutover")
def test_after_the_final_copy(lab: Lab, outcome: Outcome) -> None:
    lost_after(lab, outcome, "final-copy", "what the old host took since", "none of it is on the new host")


@pytest.mark.fault("the old host lost for good in the middle of the cutover")
def test_when_the_new_host_is_open_to_it(lab: Lab, outcome: Outcome) -> None:
    lost_after(lab, outcome, "open-to-old", "what still waited in the old host's queue", "flush had not")
