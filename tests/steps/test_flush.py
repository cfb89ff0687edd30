"""What the old host queued for the domains leaves it, and what cannot leave is named."""

from __future__ import annotations

import re

import pytest

from migrator.change import Note, Undo
from migrator.errors import VerifyFailed
from migrator.steps.common.opening import FLOWS, PASSABLE
from migrator.steps.flush import APART, Flush
from tests.fakes import NOON, FakeHost
from tests.steps.stage import Stage, queue, queued, script, summaries

RUN = "sendmail -qf -OMinQueueAge=0 -OQueueLA=1000 -qI4AT1\n"
LOG = (
    "Nov 29 12:00:00 old sendmail[7]: 4AT1aaaaaaaa: to=<user01@example.test>, delay=00:00:05, mailer=esmtp, "
    "relay=[198.51.100.20] [198.51.100.20], dsn=2.0.0, stat=Sent (ok)\n"
)


@pytest.fixture
def stage() -> Stage:
    return Stage(Flush())


def passing(stage: Stage, *looks: str) -> None:
    """Let the queue be what each look gives, and the last from then on."""
    left = list(looks)

    def answer(_host: FakeHost, _text: str) -> str:
        return (left.pop(0) if len(left) > 1 else left[0]) + "\0"

    stage.old.on("read_queue", answer)


class TestRun:
    def test_an_empty_queue_needs_no_run(self, stage: Stage) -> None:
        assert stage.look() == []
        stage.verify()

    def test_only_messages_for_the_domains_are_tried_however_young(self, stage: Stage) -> None:
        queue(
            stage.old,
            queued("qf4AT1", "user01@Example.TEST"),
            queued("qf4AT2", "someone@example.net", "user02@example.test"),
            queued("qf4AT3", "someone@example.net"),
        )
        (change,) = stage.look()
        assert change.summary == "try 2 of the 2 messages that the old host queued"
        assert script(change) == RUN.replace("\n", " -qI4AT2\n")
        assert change.undo is Undo.NOT_NEEDED

    def test_mail_for_others_is_left_to_the_old_host(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4AT3", "someone@example.net", "x@sub.example.test"))
        assert stage.look() == []
        stage.verify()

    def test_each_domain_of_the_plan_counts(self, stage: Stage) -> None:
        stage.plan(domains=("example.test", "example.org"))
        queue(stage.old, queued("qf4AT1", "user01@example.org"))
        assert script(stage.look()[0]) == RUN

    @pytest.mark.parametrize(
        ("setting", "folder"),
        [(".hoststat", "/var/spool/mqueue/.hoststat"), ("/var/lib/host status", "'/var/lib/host status'")],
    )
    def test_what_is_remembered_of_the_closed_new_host_is_purged_first(
        self, stage: Stage, setting: str, folder: str
    ) -> None:
        cf = f"O QueueDirectory=/var/spool/mqueue\nO HostStatusDirectory={setting}\n"
        stage.facts("old", cf=cf)
        queue(stage.old, queued("qf4AT1", "user01@example.test"))
        purge = f"if [ -d {folder} ]; then find {folder} -type f -delete; fi\n"
        assert script(stage.look()[0]) == purge + RUN


class TestAttempts:
    def test_a_message_that_was_deferred_once_is_run_again(self, stage: Stage) -> None:
        assert Flush.attempts > 1
        queue(stage.old, queued("qf4AT1", "user01@example.test"))
        stage.perform()
        assert summaries(stage.perform(attempt=2))[0] == "try 1 of the 1 messages that the old host queued"

    def test_a_message_that_is_just_leaving_is_waited_for(self, stage: Stage) -> None:
        message = queued("qf4AT1", "user01@example.test")
        passing(stage, message, message, "")
        stage.verify()
        assert stage.world.clock.slept == [1.0, 1.0]

    def test_mail_that_comes_in_meanwhile_is_another_matter(self, stage: Stage) -> None:
        first, later = queued("qf4AT1", "user01@example.test"), queued("qf4AT2", "user01@example.test")
        passing(stage, first, first + later, later)
        stage.verify()

    def test_a_message_that_stays_is_named_with_its_reason(self, stage: Stage) -> None:
        reason = "Deferred: 451 4.7.1 Greylisted"
        queue(stage.old, queued("qf4AT1", "user01@example.test", reason=reason))
        with pytest.raises(VerifyFailed, match="1 messages for the domains stay") as failed:
            stage.verify()
        assert failed.value.seen == "4AT1: Deferred: 451 4.7.1 Greylisted"
        assert sum(stage.world.clock.slept) == 20

    def test_of_many_the_first_five_are_named(self, stage: Stage) -> None:
        queue(stage.old, *(queued(f"qf4AT{number}", "user01@example.test") for number in range(7)))
        with pytest.raises(VerifyFailed) as failed:
            stage.verify()
        assert str(failed.value.seen).endswith("4AT4: Deferred: Connection refused and 2 more")


class TestWhatLeft:
    """A success is told from what is, not from what was done."""

    def test_what_left_is_counted_and_when_the_first_did(self, stage: Stage) -> None:
        one, two = (
            queued("qf4AT1aaaaaaaa", "user01@example.test"),
            queued("qf4AT2aaaaaaaa", "user02@example.test"),
        )
        passing(stage, one + two, two)
        stage.old.on("mail.log", LOG)
        assert summaries(stage.perform()) == [
            "try 2 of the 2 messages that the old host queued",
            "1 of 2 messages left the old host's queue (by its log: 1 sent); 1 still wait: 4AT2aaaaaaaa: Deferred: "
            "Connection refused",
        ]
        assert stage.memory[FLOWS] == NOON.isoformat()

    def test_nothing_is_said_to_have_left_where_all_still_wait(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4AT1aaaaaaaa", "user01@example.test"))
        assert summaries(stage.perform()) == ["try 1 of the 1 messages that the old host queued"]
        assert FLOWS not in stage.memory

    def test_a_message_that_was_returned_was_not_delivered(self, stage: Stage) -> None:
        passing(stage, queued("qf4AT1aaaaaaaa", "user01@example.test"), "")
        stage.old.on("mail.log", LOG.replace("Sent (ok)", "User unknown"))
        assert summaries(stage.perform())[-1].endswith("(by its log: 1 User unknown)")
        assert FLOWS not in stage.memory

    def test_a_few_are_tried_first_and_then_the_rest_in_parts(self, stage: Stage) -> None:
        queue(stage.old, *(queued(f"qf4AT{number:04}", "user01@example.test") for number in range(1501)))
        counts = [len(re.findall("-qI", script(change))) for change in stage.look()]
        assert counts == [10, 500, 500, 491]

    def test_going_back_ends_where_the_first_message_was_delivered(self, stage: Stage) -> None:
        assert Flush().can_go_back(stage.context())
        stage.memory[FLOWS] = NOON.isoformat()
        assert not Flush().can_go_back(stage.context())

    def test_a_new_host_that_takes_mail_is_no_reason_to_go_back(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4AT1aaaaaaaa", "full@example.test", reason="Deferred: 452 mailbox full"))
        stage.perform()
        assert PASSABLE not in stage.memory
        told = summaries(stage.perform(attempt=2))[-1]
        assert told.startswith("the new host takes mail for user01@example.test from the old one")
        assert not Flush().can_go_back(stage.context())

    def test_a_new_host_that_nobody_gets_into_is(self, stage: Stage) -> None:
        stage.new.hidden = True
        queue(stage.old, queued("qf4AT1aaaaaaaa", "user01@example.test"))
        stage.perform(attempt=2)
        assert Flush().can_go_back(stage.context())


class TestApart:
    @pytest.mark.parametrize("name", ["hf4ATq", "Qf4ATq"], ids=["quarantined", "lost"])
    def test_what_no_run_delivers_is_said_once_for_a_person(self, stage: Stage, name: str) -> None:
        queue(stage.old, queued(name, "user01@example.test", reason="virus?"))
        (change,) = stage.perform()
        assert change.do == Note()
        assert change.summary.startswith("by hand: 1 messages for the domains are quarantined or lost")
        assert change.summary.endswith("4ATq: virus?")
        assert stage.memory == {APART: "1"}
        assert stage.look() == []
        stage.verify()

    def test_it_comes_after_the_run_of_the_others(self, stage: Stage) -> None:
        queue(stage.old, queued("hf4ATq", "u@example.test"), queued("qf4AT1aaaaaaaa", "u@example.test"))
        assert [change.do.kind for change in stage.perform()] == ["shell", "note"]
