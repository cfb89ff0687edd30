"""What a queue waits for most, from the queue itself."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail.queue import QueuedMessage, Recipient
from migrator.sendmail.tally import SIDES, Side, reasons, top

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
REFUSED = "Deferred: Connection refused by mx.else.example."


def message(
    sender: str, *recipients: str, reason: str = REFUSED, attempts: int = 1, hour: int = 12
) -> QueuedMessage:
    waiting = tuple(Recipient(address, "PFD", "") for address in recipients)
    created = NOON.replace(hour=hour)
    return QueuedMessage("x", "queued", 8, sender, waiting, created, None, attempts, reason, True)


QUEUE = (
    message("list@example.test", "a@else.example", "b@else.example", "user01"),
    message("list@example.test", "a@ELSE.example", hour=9),
    message("", "list@example.test", reason="", attempts=0),
)


def names(by: Side, most: int = 10) -> list[tuple[str, int]]:
    return [(one.name, one.messages) for one in top(QUEUE, by, most)]


def test_recipients_with_most_mail_come_first_whatever_the_case_of_their_domain() -> None:
    assert names("recipient") == [
        ("a@else.example", 2),
        ("b@else.example", 1),
        ("list@example.test", 1),
        ("user01", 1),
    ]


def test_a_message_counts_once_for_a_domain_of_several_recipients() -> None:
    assert names("domain") == [("else.example", 2), ("(this host)", 1), ("example.test", 1)]


def test_bounces_are_counted_as_what_their_sender_is() -> None:
    assert names("sender") == [("list@example.test", 2), ("<>", 1)]


def test_messages_that_nobody_tried_yet_are_their_own_reason() -> None:
    assert names("reason") == [(REFUSED, 2), ("(not tried yet)", 1)]


def test_a_recipients_own_reason_counts_before_the_messages() -> None:
    both = (Recipient("a@x.example", "", "no such host"), Recipient("b@y.example", "", ""))
    told = QueuedMessage("x", "queued", 8, "s", both, None, None, 2, "over quota", True)
    assert reasons(told) == ("no such host", "over quota")
    untold = QueuedMessage("x", "queued", 8, "s", (), None, None, 2, "", True)
    assert reasons(untold) == ("(no reason noted)",)


def test_each_line_tells_since_when_the_oldest_waits() -> None:
    assert [one.oldest for one in top(QUEUE, "sender")] == [NOON.replace(hour=9), NOON]


@pytest.mark.parametrize("by", SIDES)
def test_no_more_than_asked_for_are_given_and_none_of_an_empty_queue(by: Side) -> None:
    assert len(names(by, most=1)) == 1
    assert top((), by) == ()


@given(st.lists(st.lists(st.sampled_from(["a@x.example", "b@x.example", "c"]), unique=True), max_size=20))
def test_what_is_counted_is_what_waits(queue: list[list[str]]) -> None:
    counted = {one.name: one.messages for one in top([message("s", *rows) for rows in queue], "recipient")}
    assert counted == dict(Counter(address for rows in queue for address in rows))
