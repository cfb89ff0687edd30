"""What waits in the queue is read whole, by domain and by mailbox."""

from __future__ import annotations

import pytest

from migrator.sendmail.text_error import TextError
from migrator.steps.common import waiting
from migrator.steps.flush import Flush
from tests.fakes import FakeHost, make_context, make_plan
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


OWN_MAILBOXES = {
    "a mailbox that no alias is looked up for": "Cuser01:2001:2001:boss\nRFDA:\\user01\n",
    "a program of a .forward": 'Cuser06:2006:2006:user06\nRPFD:"|exec /usr/bin/procmail"\n',
    "a file": "Cuser08:2008:2008:user08\nRPFD:/home/user08/mbox\n",
    "a name of the host": "RPFD:user01@mail.example.test\n",
    "a name in brackets": 'RPFD:"User One" <user01@localhost>\n',
}


def control_file(name: str, lines: str) -> str:
    return "".join(
        f"/var/spool/mqueue/{name}\0{line}\n" for line in f"V8\nSa@outside.test\n{lines}.".split("\n")
    )


class TestForOwnMailboxes:
    def test_what_ends_in_a_mailbox_of_the_host_counts_and_nothing_else(self, stage: Stage) -> None:
        queue(
            stage.old,
            queued("qf1", "user01", "other@example.net"),
            queued("qf2", "nobody-here"),
            queued("qf3", "user01@example.test"),
            queued("hf4", "user01"),
        )
        assert [one.id for one in waiting.for_own_mailboxes(stage.context())] == ["1"]
        assert [one.id for one in waiting.staying(stage.context())] == ["1", "4"]

    @pytest.mark.parametrize("lines", OWN_MAILBOXES.values(), ids=OWN_MAILBOXES)
    @pytest.mark.parametrize("answers", [True, False], ids=["told by Sendmail", "Sendmail says nothing"])
    def test_whatever_is_no_plain_name_is_known(self, stage: Stage, lines: str, answers: bool) -> None:
        queue(stage.old, control_file("qf1", lines))
        if not answers:
            stage.old.on("END_OF_RECIPIENTS", "")
        known = answers or "@" not in lines
        assert [one.id for one in waiting.for_own_mailboxes(stage.context())] == (["1"] if known else [])

    def test_an_alias_counts_where_one_that_it_leads_to_is_of_the_host(self, stage: Stage) -> None:
        stage.old.aliases = {"<team>": ("x@example.net", "user01"), "<away>": ("x@example.net",)}
        queue(stage.old, queued("qf1", "team"), queued("qf2", "away"))
        assert [one.id for one in waiting.for_own_mailboxes(stage.context())] == ["1"]

    def test_one_message_stands_for_a_domain_until_it_ends_here(self, stage: Stage) -> None:
        asked: list[str] = []

        def answer(_host: FakeHost, text: str) -> str:
            asked.append(text)
            first = queued("qf1", "user01@localhost")
            return (first if len(asked) == 1 else first + queued("qf2", "user01@localhost")) + "\0"

        stage.old.on("read_queue", answer)
        assert [one.id for one in waiting.for_own_mailboxes(stage.context())] == ["1", "2"]
        assert "@(localhost)" in asked[1]

    def test_who_runs_a_program_is_told_with_it(self, stage: Stage) -> None:
        queue(stage.old, control_file("hf1", OWN_MAILBOXES["a program of a .forward"]))
        told = waiting.recipients_of(waiting.staying(stage.context()))
        assert told == '1 (quarantined) for "|exec /usr/bin/procmail" (of user06)'


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


def test_thousands_of_domains_take_few_runs_that_fit_a_command_line() -> None:
    domains = tuple(f"hosted-domain-number-{index}.example.test" for index in range(6000))
    script = waiting.run_for_domains(make_context(plan=make_plan(domains=domains)))
    runs = script.splitlines()
    assert len(runs) == 3
    assert script.count(" -qR@hosted-domain-number-") == 6000
    assert max(map(len, runs)) < 128 * 1024
