"""What the old host queued for the domains leaves it, and what cannot leave is named."""

from __future__ import annotations

import pytest

from migrator.change import Note, Undo
from migrator.errors import VerifyFailed
from migrator.steps.flush import APART, Flush
from tests.fakes import FakeHost
from tests.steps.stage import Stage, queue, queued, script, summaries

RUN = "sendmail -OMinQueueAge=0 -OQueueLA=1000 -qR@example.test\n"


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
        assert change.summary == "deliver 2 messages that the old host queued"
        assert script(change) == RUN
        assert change.undo is Undo.NOT_NEEDED

    def test_mail_for_others_is_left_to_the_old_host(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4AT3", "someone@example.net", "x@sub.example.test"))
        assert stage.look() == []
        stage.verify()

    def test_one_run_is_for_every_domain(self, stage: Stage) -> None:
        stage.plan(domains=("example.test", "example.org"))
        queue(stage.old, queued("qf4AT1", "user01@example.org"))
        assert script(stage.look()[0]) == RUN.replace("\n", " -qR@example.org\n")

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
        assert summaries(stage.perform(attempt=2)) == ["deliver 1 messages that the old host queued"]

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
        queue(stage.old, queued("hf4ATq", "u@example.test"), queued("qf4AT1", "u@example.test"))
        assert [change.do.kind for change in stage.perform()] == ["shell", "note"]
