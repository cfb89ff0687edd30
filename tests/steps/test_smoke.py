"""A letter of our own arrives on the new host, by the way that it was sent, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.change import SendProbe, Undo
from migrator.errors import Refused, SmtpError, VerifyFailed
from migrator.plan import SmokePlan
from migrator.steps import smoke
from migrator.steps.smoke import FOREIGN, Smoke
from tests.fakes import NOON, FakeHost
from tests.steps.stage import Stage, summaries

STAMP = int(NOON.timestamp())
OLD_TOKEN = f"migrate-example-mail-old-{STAMP}"
NEW_TOKEN = f"migrate-example-mail-new-{STAMP}"
CLIENT = (
    "Received: from client (client [192.0.2.99])\n\tby mail.example.test; Sun, 29 Nov 2026 12:00:00 GMT\n"
)
RELAYED = CLIENT.replace("client [192.0.2.99]", "mail.example.test [198.51.100.10]")


@pytest.fixture
def stage() -> Stage:
    return Stage(Smoke())


@pytest.fixture(autouse=True)
def asked_for_all(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return which hosts are asked for the way of every address: all of them go the right one."""
    asked: list[str] = []
    monkeypatch.setattr(smoke, "expect_route", lambda _context, host: asked.append(host))
    return asked


@pytest.fixture
def sent(stage: Stage) -> Stage:
    stage.perform()
    return stage


def failure(stage: Stage) -> VerifyFailed:
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    return failed.value


class TestDialogues:
    def test_each_host_gets_a_message_and_then_is_asked_to_relay(self, stage: Stage) -> None:
        changes = stage.perform()
        assert [change.do for change in changes] == [
            SendProbe("198.51.100.10", "postmaster@example.test", "user01@example.test", OLD_TOKEN),
            SendProbe("198.51.100.10", "postmaster@example.test", FOREIGN, OLD_TOKEN, expect="refused"),
            SendProbe("198.51.100.20", "postmaster@example.test", "user01@example.test", NEW_TOKEN),
            SendProbe("198.51.100.20", "postmaster@example.test", FOREIGN, NEW_TOKEN, expect="refused"),
        ]
        assert {change.undo for change in changes} == {Undo.NOT_NEEDED}
        assert summaries(changes)[:2] == [
            "send a message for user01@example.test to port 25 of the old host",
            "ask the old host to relay for a stranger, which it has to refuse",
        ]

    def test_a_foreign_recipient_is_one_that_exists_nowhere(self) -> None:
        assert FOREIGN.endswith(".invalid")

    @pytest.mark.parametrize(
        ("told", "asked"),
        [
            (
                "mailer relay, host mail.example.test., user nobody@relay-test.invalid.example.test",
                f"{FOREIGN}.",
            ),
            ("mailer esmtp, host relay-test.invalid., user nobody@relay-test.invalid", FOREIGN),
        ],
    )
    def test_a_name_that_the_search_list_completes_is_asked_for_as_it_is(
        self, stage: Stage, told: str, asked: str
    ) -> None:
        stage.world.mail.answer = lambda _address, _recipient: (250, "2.1.5 Ok")
        for host in (stage.old, stage.new):
            host.on(r"^sendmail -bv nobody", f"{FOREIGN}... deliverable: {told}\n")
        assert [change.do.recipient for change in stage.perform() if isinstance(change.do, SendProbe)] == [
            "user01@example.test",
            asked,
        ] * 2

    def test_a_host_that_refuses_is_asked_for_the_name_and_no_more(self, stage: Stage) -> None:
        assert [change.do.recipient for change in stage.perform() if isinstance(change.do, SendProbe)] == [
            "user01@example.test",
            FOREIGN,
        ] * 2
        assert not any("-bv" in text for host in (stage.old, stage.new) for text in host.unanswered)

    def test_the_plan_says_who_writes_to_whom(self, stage: Stage) -> None:
        stage.plan(smoke=SmokePlan(recipient="info@example.test", sender="me@example.org"))
        probe = stage.perform()[0].do
        assert isinstance(probe, SendProbe)
        assert (probe.sender, probe.recipient) == ("me@example.org", "info@example.test")

    def test_what_was_sent_is_not_sent_again(self, sent: Stage) -> None:
        assert sent.look() == []

    def test_a_second_attempt_sends_anew_with_another_token_and_asks_no_more(self, sent: Stage) -> None:
        assert Smoke.attempts == 2
        sent.world.clock.sleep(200)
        changes = sent.perform(attempt=2)
        assert [change.remember for change in changes] == [
            {"smoke.old": f"migrate-example-mail-old-{STAMP + 200}"},
            {"smoke.new": f"migrate-example-mail-new-{STAMP + 200}"},
        ]

    def test_a_system_account_gets_no_mail(self, stage: Stage) -> None:
        stage.facts("old", spool=("root",))
        with pytest.raises(Refused, match="no mailbox was found") as refused:
            stage.look()
        assert refused.value.advice == "name one in smoke.recipient"


class TestArrival:
    def test_both_messages_stand_on_the_new_host(self, sent: Stage) -> None:
        sent.verify()

    def test_the_old_host_is_asked_for_the_way_of_every_address(
        self, sent: Stage, asked_for_all: list[str]
    ) -> None:
        sent.verify()
        assert asked_for_all == ["old"]

    def test_a_message_is_waited_for(self, sent: Stage) -> None:
        waits = [1, 2, 3]

        def answer(_host: FakeHost, _text: str) -> str:
            return "" if waits and waits.pop() else "/var/spool/mail/user01\n"

        sent.new.on("grep -lF", answer)
        sent.verify()
        assert sent.world.clock.slept == [1.0] * 3

    def test_only_recent_files_of_planned_trees_and_of_the_spool_are_read(self, sent: Stage) -> None:
        asked: list[str] = []

        def answer(_host: FakeHost, text: str) -> str:
            asked.append(text)
            return "/var/spool/mail/user01\n"

        sent.new.on("grep -lF", answer)
        sent.verify()
        assert asked[0].startswith("find /var/spool/mail/ /srv/mail/ ")
        assert " -type f -newermt @$(($(date +%s) - 60)) -exec grep -lF " in asked[0]

    def test_folders_that_nothing_came_into_are_read_only_where_the_message_stays_out(
        self, sent: Stage
    ) -> None:
        asked: list[bool] = []

        def answer(_host: FakeHost, text: str) -> str:
            asked.append("-prune" not in text)
            return "/var/spool/mail/user01\n" if asked[-1] else ""

        sent.new.on("grep -lF", answer)
        sent.verify()
        assert asked[0] is False
        assert asked[-1] is True

    def test_a_clock_that_jumps_while_a_message_is_waited_for_ends_nothing(self, sent: Stage) -> None:
        looks = [1, 2, 3]

        def answer(_host: FakeHost, _text: str) -> str:
            sent.world.clock.time += timedelta(hours=1 if len(looks) % 2 else -1)
            return "" if looks and looks.pop() else "/var/spool/mail/user01\n"

        sent.new.on("grep -lF", answer)
        sent.verify()
        assert sent.world.clock.slept == [1.0] * 3

    def test_one_that_stands_only_on_the_old_host_fails(self, sent: Stage) -> None:
        sent.old.mailboxes[OLD_TOKEN] = sent.new.mailboxes.pop(OLD_TOKEN)
        failed = failure(sent)
        assert failed.message == "the message sent to the old host is in no mailbox of the new one"
        assert failed.expected == f"a message with {OLD_TOKEN}"
        assert sum(sent.world.clock.slept) == 120

    def test_one_that_stands_on_both_fails(self, sent: Stage) -> None:
        sent.old.mailboxes[OLD_TOKEN] = ""
        failed = failure(sent)
        assert (failed.host, failed.seen) == ("old", "/var/spool/mail/user01")
        assert "stands in a mailbox of the old host" in failed.message

    def test_the_new_hosts_own_message_is_looked_for_too(self, sent: Stage) -> None:
        del sent.new.mailboxes[NEW_TOKEN]
        assert failure(sent).message == "the message sent to the new host is in no mailbox of the new one"


class TestWay:
    def test_a_message_to_the_old_host_came_through_it(self, sent: Stage) -> None:
        sent.new.mailboxes[OLD_TOKEN] = f"{CLIENT}X-Migrate-Token: {OLD_TOKEN}\n"
        failed = failure(sent)
        assert failed.message == "the message for the old host did not take the way it should"
        assert failed.expected == "two Received lines, the upper one from the old host"
        assert failed.seen == "from client [192.0.2.99] by mail.example.test"

    def test_through_another_host_is_not_through_the_old_one(self, sent: Stage) -> None:
        other = RELAYED.replace("198.51.100.10", "192.0.2.77")
        sent.new.mailboxes[OLD_TOKEN] = f"{other}{CLIENT}X-Migrate-Token: {OLD_TOKEN}\n"
        assert "[192.0.2.77]" in str(failure(sent).seen)

    def test_any_address_that_the_old_host_sends_from_will_do(self, sent: Stage) -> None:
        sent.facts("old", source="203.0.113.9")
        other = RELAYED.replace("198.51.100.10", "203.0.113.9")
        sent.new.mailboxes[OLD_TOKEN] = f"{other}{CLIENT}X-Migrate-Token: {OLD_TOKEN}\n"
        sent.verify()

    def test_a_message_to_the_new_host_went_straight_there(self, sent: Stage) -> None:
        sent.new.mailboxes[NEW_TOKEN] = f"{RELAYED}{CLIENT}X-Migrate-Token: {NEW_TOKEN}\n"
        failed = failure(sent)
        assert failed.message == "the message for the new host did not take the way it should"
        assert failed.expected == "one Received line"

    def test_received_lines_of_another_message_in_the_mailbox_do_not_count(self, sent: Stage) -> None:
        earlier = f"{RELAYED}{CLIENT}Subject: another\n\nbody\n\n"
        sent.new.mailboxes[NEW_TOKEN] = f"{earlier}{CLIENT}X-Migrate-Token: {NEW_TOKEN}\n"
        sent.verify()


def test_a_recipient_of_the_plan_needs_no_mailbox_in_the_spool(stage: Stage) -> None:
    stage.facts("old", spool=())
    stage.plan(smoke=replace(stage.world.plan.smoke, recipient="info@example.test"))
    assert len(stage.look()) == 4


class TestWhatThisMachineCannotTell:
    """A refusal for now, or a provider that keeps port 25 to itself, is no word about the hosts."""

    def test_a_machine_without_a_reverse_record_leaves_it_to_a_person(self, stage: Stage) -> None:
        stage.world.mail.answer = lambda _address, _recipient: (450, "4.7.1 Cannot resolve PTR record")
        told = summaries(stage.perform())
        assert [line[:7] for line in told] == ["by hand", "ask the", "by hand", "ask the"]
        assert "450 4.7.1 Cannot resolve PTR record" in told[0]
        stage.verify()
        assert stage.look(attempt=2) == []

    def test_a_machine_that_reaches_no_port_25_does_too(self, stage: Stage) -> None:
        def refuse(_address: str, _recipient: str) -> tuple[int, str]:
            raise SmtpError("no connection within 15 s")

        stage.world.mail.answer = refuse
        assert summaries(stage.perform())[0].startswith("by hand")

    def test_one_host_alone_that_it_does_not_reach_is_a_failure_of_that_host(self, stage: Stage) -> None:
        def answer(address: str, _recipient: str) -> tuple[int, str]:
            if address == stage.world.plan.new.address:
                raise SmtpError("no connection within 15 s")
            return 250, "ok"

        stage.world.mail.answer = answer
        assert not any(line.startswith("by hand") for line in summaries(stage.look()))

    def test_a_refusal_for_good_is_a_failure(self, stage: Stage) -> None:
        stage.world.mail.answer = lambda _address, _recipient: (550, "5.1.1 User unknown")
        assert not any(line.startswith("by hand") for line in summaries(stage.look()))
