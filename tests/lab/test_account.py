"""The account sees every way in which a migration can go wrong."""

from __future__ import annotations

from tests.lab.account import Account, take
from tests.lab.message import Message
from tests.lab.scan import Copy, Key, Scan

KEY: Key = ("mail-1", "user01")
WHOLE = Copy("/var/mail/user01", whole=True)
EMPTY = Scan({}, {}, [])


def accepted(unanswered: int = 0) -> Message:
    return Message(
        "mail-1", "user01@example.test", accepted_at=1.0, accepted_by="198.51.100.10", unanswered=unanswered
    )


def account_of(here: Scan, there: Scan = EMPTY, message: Message | None = None) -> Account:
    return take(here, there, messages=[message or accepted()])


def holding(*copies: Copy, key: Key = KEY) -> Scan:
    return Scan({key: list(copies)}, {}, [])


def test_one_whole_copy_in_the_right_mailbox_is_delivered() -> None:
    account = account_of(holding(WHOLE), there=holding(WHOLE))
    assert account.delivered == [KEY]
    assert account.clean


def test_no_copy_anywhere_is_lost() -> None:
    account = account_of(EMPTY)
    assert account.lost == [KEY]
    assert not account.clean
    assert "lost: mail-1 in user01" in account.text()


def test_a_copy_in_a_mailbox_or_queue_of_the_other_host_alone_is_stranded() -> None:
    assert account_of(EMPTY, there=holding(WHOLE)).stranded == [KEY]
    assert account_of(EMPTY, there=Scan({}, {"mail-1": "qf1"}, [])).stranded == [KEY]


def test_a_copy_in_the_queue_of_its_own_host_is_waiting() -> None:
    assert account_of(Scan({}, {"mail-1": "qf1"}, [])).waiting == [KEY]


def test_two_copies_are_doubled_unless_the_sender_got_no_answer() -> None:
    assert account_of(holding(WHOLE, WHOLE)).doubled == [KEY]
    resent = account_of(holding(WHOLE, WHOLE), message=accepted(unanswered=1))
    assert resent.resent == [KEY]
    assert resent.clean


def test_a_copy_without_its_last_line_is_damaged() -> None:
    assert account_of(holding(Copy("/var/mail/user01", whole=False))).damaged == [KEY]


def test_a_copy_in_another_mailbox_is_misplaced_and_the_right_one_lacks_it() -> None:
    account = account_of(holding(WHOLE, key=("mail-1", "user02")))
    assert account.misplaced == [("mail-1", "user02")]
    assert account.lost == [KEY]


def test_a_deleted_message_must_not_return() -> None:
    assert take(EMPTY, EMPTY, seeds=[KEY], deleted=[KEY]).clean
    assert take(holding(WHOLE), EMPTY, seeds=[KEY], deleted=[KEY]).returned == [KEY]


def test_an_alias_for_two_users_needs_both_copies() -> None:
    both = Message("mail-1", "team@example.test", accepted_at=1.0)
    account = account_of(holding(WHOLE, key=("mail-1", "user04")), message=both)
    assert account.delivered == [("mail-1", "user04")]
    assert account.lost == [("mail-1", "user16")]


def test_mail_that_no_host_took_is_told_with_the_last_answer() -> None:
    bounced = Message("mail-1", "user01@example.test", rejected="553 5.3.5 loops back to me")
    assert account_of(EMPTY, message=bounced).rejected == [
        "mail-1 to user01@example.test: 553 5.3.5 loops back to me"
    ]
    held = Message("mail-1", "user01@example.test", refusals=3, last_trouble="timed out")
    account = account_of(EMPTY, message=held)
    assert account.unaccepted == ["mail-1 to user01@example.test: timed out"]
    assert account.retries == 1


def test_folders_that_had_to_stay_behind_are_a_fault() -> None:
    assert not account_of(Scan({KEY: [WHOLE]}, {}, ["/var/www/web1/user/user01/bak"])).clean
