"""What waits in the queue is read whole, by domain and by mailbox."""

from __future__ import annotations

import pytest

from migrator.sendmail.text_error import TextError
from migrator.steps.common import waiting
from migrator.steps.flush import Flush
from tests.fakes import FakeHost
from tests.steps.stage import Stage, queue, queued


@pytest.fixture
def stage() -> Stage:
    return Stage(Flush())


class TestForDomains:
    def test_domains_are_told_in_any_case_and_whole(self, stage: Stage) -> None:
        queue(
            stage.old,
            queued("qf1", "a@EXAMPLE.test"),
            queued("qf2", "a@sub.example.test"),
            queued("qf3", "a@example.test.evil.net"),
            queued("qf4", "user01"),
        )
        assert [one.id for one in waiting.for_domains(stage.context())] == ["1"]

    def test_quarantined_and_lost_ones_are_among_them(self, stage: Stage) -> None:
        queue(stage.old, queued("hf1", "a@example.test"), queued("Qf2", "a@example.test"))
        assert [one.kind for one in waiting.for_domains(stage.context())] == ["quarantined", "lost"]

    def test_every_queue_of_sendmail_cf_is_read(self, stage: Stage) -> None:
        asked: list[str] = []

        def answer(_host: FakeHost, text: str) -> str:
            asked.append(text)
            return "\0"

        stage.old.on("read_queue", answer)
        stage.facts("old", cf="O QueueDirectory=/srv/queue/q*\nQslow, Path=/srv/slow queue, F=f\n")
        waiting.for_domains(stage.context())
        assert asked[0].endswith(" sh '^R.*@(example[.]test)' '/srv/queue/q*' '/srv/slow queue'")

    def test_a_list_that_ends_early_is_never_read_as_an_empty_queue(self, stage: Stage) -> None:
        stage.old.on("read_queue", "")
        with pytest.raises(TextError):
            waiting.for_domains(stage.context())


class TestForOwnMailboxes:
    def test_an_account_of_the_old_host_counts_and_nothing_else(self, stage: Stage) -> None:
        queue(
            stage.old,
            queued("qf1", "user01", "other@example.net"),
            queued("qf2", "nobody-here"),
            queued("qf3", "user01@example.test"),
            queued("hf4", "user01"),
        )
        assert [one.id for one in waiting.for_own_mailboxes(stage.context())] == ["1"]


class TestWords:
    def test_a_message_is_told_with_its_number_and_reason(self, stage: Stage) -> None:
        queue(stage.old, queued("qf1", "a@example.test", reason=""), queued("qf2", "a@example.test"))
        found = waiting.for_domains(stage.context())
        assert waiting.words(found) == "1: queued; 2: Deferred: Connection refused"

    def test_of_many_the_first_five_are_told(self, stage: Stage) -> None:
        queue(stage.old, *(queued(f"qf{number}", "a@example.test") for number in range(6)))
        assert waiting.words(waiting.for_domains(stage.context())).endswith(" and 1 more")

    def test_nothing_has_a_word(self) -> None:
        assert waiting.words(()) == "none"
