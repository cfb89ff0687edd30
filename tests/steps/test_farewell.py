"""What no program can do is said, once, with the names and addresses of this migration."""

from __future__ import annotations

import pytest

from migrator.change import Note, Undo
from migrator.plan import HostPlan
from migrator.sendmail import known
from migrator.steps.common.late import LATER
from migrator.steps.farewell import Farewell
from migrator.steps.lost import LOST
from tests.steps.stage import Stage, edits, summaries


@pytest.fixture
def stage() -> Stage:
    return Stage(Farewell())


def test_each_task_is_a_note_for_a_person(stage: Stage) -> None:
    changes = stage.perform()
    assert all(line.startswith("by hand: ") for line in summaries(changes))
    assert {(change.do, change.undo) for change in changes} == {(Note(), Undo.NOT_NEEDED)}


@pytest.mark.parametrize(
    "word", ["SPF", "reverse record", "TLSA", "MTA-STS", "mailq", "IMAP", "/etc/mail/access"]
)
def test_what_breaks_mail_after_a_move_is_named(stage: Stage, word: str) -> None:
    assert word in "\n".join(summaries(stage.look()))


def test_all_addresses_and_domains_are_named(stage: Stage) -> None:
    stage.plan(
        domains=("example.test", "example.org"),
        old=HostPlan("root@198.51.100.10", ("198.51.100.10", "2001:db8::10")),
    )
    stage.plan_new("198.51.100.20", "2001:db8::20")
    assert summaries(stage.look())[0] == (
        "by hand: see that SPF of example.test, example.org names 198.51.100.20 and 2001:db8::20, "
        "and keep 198.51.100.10 and 2001:db8::10 in it until the old host is off"
    )


def test_it_is_said_once_and_only_when_all_was_said(stage: Stage) -> None:
    changes = stage.look()
    assert [change.remember for change in changes] == [{}] * (len(changes) - 1) + [{"farewell": "said"}]
    stage.perform()
    assert stage.look() == []
    stage.verify()


def test_a_later_run_asks_again_whom_the_new_host_knows_by_then(stage: Stage) -> None:
    stage.perform()
    assert not stage.step.again(stage.context())
    stage.memory[LATER] = "onlyold"
    assert stage.step.again(stage.context())
    stage.old.files[known.PATH] = b"@example.test\tNAMES\nonlyold\tLATER\n"
    stage.new.on(r"^sendmail -bv", "onlyold@example.test... User unknown\n")
    (told,) = stage.perform()
    assert "does not know onlyold" in told.summary
    stage.new.on(r"^sendmail -bv", "onlyold@example.test... deliverable: mailer local, user onlyold\n")
    (learned,) = stage.perform()
    assert edits(learned)[known.PATH] == "@example.test\tNAMES\nonlyold\tOK\n"
    assert not stage.step.again(stage.context())
    stage.memory |= {LATER: "other", LOST: "2026-11-29T12:00:00+00:00"}
    assert not stage.step.again(stage.context())


def test_once_the_old_host_is_lost_nothing_is_asked_of_it(stage: Stage) -> None:
    stage.memory[LOST] = "2026-11-29T12:00:00+00:00"
    told = "\n".join(summaries(stage.look()))
    assert "old host" not in told
    assert "take 198.51.100.10 out of it" in told
    assert "remove 198.51.100.10 from /etc/mail/access on the new" in told
