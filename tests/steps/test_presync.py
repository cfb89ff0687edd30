"""The bulk is copied as often as the plan says, and nothing is deleted while the new host may hold more."""

from __future__ import annotations

import pytest

from migrator.errors import VerifyFailed
from migrator.hosts.base import Output
from migrator.plan import CopyPlan, HostPlan, SyncTree
from migrator.steps.common.passes import guard
from migrator.steps.presync import Presync
from tests.fakes import FakeHost
from tests.steps.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage(Presync())


@pytest.mark.parametrize("number", [1, 3])
def test_every_tree_is_copied_as_often_as_the_plan_says(stage: Stage, number: int) -> None:
    stage.plan(copying=CopyPlan(passes=number))
    stage.perform()
    later = [(0, False, "changed"), (1, False, "changed")] * (number - 1)
    assert stage.passes == [(0, False, "whole"), (1, False, "whole"), *later]
    assert list(stage.memory) == [f"presync.{one}" for one in range(1, number + 1)]


def test_after_an_interruption_only_the_passes_that_did_not_end_are_made(stage: Stage) -> None:
    stage.memory["presync.1"] = "2026-11-29T11:00:00+00:00"
    stage.perform()
    assert stage.passes == [(0, False, "changed"), (1, False, "changed")]
    assert stage.look() == []


def test_a_tree_that_did_not_arrive_is_named(stage: Stage) -> None:
    stage.perform()
    stage.verify()
    stage.new.on("^test -d .*test -d /srv/mail/ ", "1\n")
    with pytest.raises(VerifyFailed, match=r"/srv/mail/ does not exist after the copy") as failed:
        stage.verify()
    assert failed.value.host == "new"


def test_a_host_that_cannot_tell_which_trees_arrived_is_no_proof_of_it(stage: Stage) -> None:
    stage.perform()
    stage.new.on("^test -d ", Output(2, "", "sh: cannot fork"))
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert failed.value.seen == "sh: cannot fork"


def test_thousands_of_trees_are_asked_for_by_one_command(stage: Stage) -> None:
    asked: list[str] = []

    def answer(_host: FakeHost, text: str) -> str:
        asked.append(text)
        return ""

    stage.perform()
    stage.new.on("test -d", answer)
    stage.plan(sync=tuple(SyncTree(f"/srv/c{n}/", f"/srv/it's c{n}/") for n in range(2000)))
    stage.verify()
    (script,) = asked
    assert "test -d '/srv/it'\"'\"'s c1999/' || echo 1999\n" in script


def test_the_spool_is_looked_into_by_any_of_its_names(stage: Stage) -> None:
    asked: list[str] = []

    def answer(_host: FakeHost, text: str) -> str:
        asked.append(text)
        return ""

    stage.new.on(r"look\(\)", answer)
    targets = ("/var/mail/", "/srv/spool/", "/data/spool/", "/srv/mail/")
    stage.plan(
        sync=tuple(SyncTree("/var/spool/mail/", target) for target in targets),
        new=HostPlan("root@198.51.100.20", ("198.51.100.20",), mail_spool="/srv/spool"),
    )
    stage.facts("new", paths={"spool": "/data/spool"})
    guard(stage.context())
    looks = [line.split() for line in asked[0].splitlines() if line.startswith("look /")]
    assert [(look[1], look[3]) for look in looks] == [
        ("/var/mail", "'./*/*'"),
        ("/srv/spool", "'./*/*'"),
        ("/data/spool", "'./*/*'"),
        ("/srv/mail", "'*'"),
    ]
