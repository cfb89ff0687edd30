"""What the old host delivered to itself until its relay was loaded is copied too."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from migrator.engine import Engine
from migrator.errors import Refused, StartOver, VerifyFailed
from migrator.journal import Journal
from migrator.steps.relay import GENERATIONS
from migrator.steps.settle import Settle
from tests.steps.stage import LISTENER, Stage, processes, queue, queued, summaries

DELIVERY = (301, 70, 95_000, "sendmail: ./4ATold from queue")


@pytest.fixture
def stage() -> Stage:
    stage = Stage(Settle(), "firewall")
    stage.memory[GENERATIONS] = "70"
    stage.old.port = "closed"
    stage.new.port, stage.new.listening = "closed", False
    return stage


def test_deliveries_of_before_end_then_the_queue_is_tried_then_the_rest_is_copied(stage: Stage) -> None:
    processes(stage.old, LISTENER, DELIVERY)
    queue(stage.old, queued("qf4AT1", "user01"))
    assert [line.partition(":")[0] for line in summaries(stage.perform())] == [
        "let 1 sessions and deliveries end on the old host that began before the switch",
        "deliver what waits for mailboxes of the old host itself",
        "note on the new host that the settling begins",
        "the settling",
        "note on the new host that the settling is whole",
    ]


def test_the_pass_deletes_for_the_new_host_is_closed(stage: Stage) -> None:
    stage.perform()
    assert stage.passes == [(0, True, "changed"), (1, True, "changed")]
    stage.verify()


def test_an_old_port_that_opened_meanwhile_relays_and_is_no_hindrance(stage: Stage) -> None:
    stage.old.port = "open"
    stage.ready()
    stage.perform()
    stage.verify()


def test_a_third_attempt_looks_at_everything(stage: Stage) -> None:
    stage.perform()
    assert stage.look() == []
    stage.perform(attempt=3)
    assert stage.passes[2:] == [(0, True, "whole"), (1, True, "whole")]


def test_five_attempts_then_it_names_what_differs(stage: Stage, tmp_path: Path) -> None:
    def different(trees: Sequence[int], *, longest: float) -> tuple[tuple[str, ...], ...]:
        return ((">fcst...... user01",),) * len(trees)

    stage.world.copies.differences = different  # type: ignore[method-assign]
    engine_folder = tmp_path / "name"
    with closing(Journal(engine_folder)) as journal, pytest.raises(VerifyFailed) as failed:
        list(Engine((stage.step,), stage.executor, journal, stage.context()).run())
    assert failed.value.seen == ">fcst...... user01"
    assert len(stage.passes) == 5 * 2


def test_a_new_host_that_takes_mail_is_closed_first(stage: Stage) -> None:
    processes(stage.new, LISTENER)
    for ask in (stage.ready, stage.verify):
        with pytest.raises(StartOver) as again:
            ask()
        assert again.value.step == "close-new"


def test_mail_that_came_in_on_the_new_host_is_never_deleted(stage: Stage) -> None:
    stage.new.on(r"look\(\)", "1796000000\n/var/spool/mail/user01\n")
    with pytest.raises(Refused, match="mail of its own"):
        stage.ready()


def test_a_delivery_of_before_that_is_left_fails(stage: Stage) -> None:
    processes(stage.old, LISTENER, DELIVERY)
    with pytest.raises(VerifyFailed, match="deliveries from before the switch"):
        stage.verify()
