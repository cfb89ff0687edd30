"""The log says what became of each message, and what went wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import log

UNSAFE = 'hash map "Alias0": unsafe map file /etc/aliases.db: Permission denied'
REFUSED = "Deferred: Connection refused by mx.else.example."
LOCAL = "mailer=local, pri=1, relay=local, dsn=2.0.0"
LOG = f"""\
Nov 29 12:00:01 mail sm-mta[311]: 3ATC01aa000311: from=<a@x.example>, size=431, nrcpts=2, relay=[203.0.113.7]
Nov 29 12:00:02 mail sm-mta[313]: 3ATC01aa000311: to=<user01@example.test>,<user02>, {LOCAL}, stat=Sent
2026-11-29T12:00:03.123456+01:00 mail sendmail[9]: 3ATC01ab000312: to=b@else.example, dsn=4.0.0, stat={REFUSED}
Nov 29 12:00:04 mail sm-mta[313]: 3ATC01ac000313: to=<c@else.example>, dsn=5.1.1, stat=User unknown, stat=Sent
Nov 29 12:00:05 mail dovecot: SYSERR nothing of ours
Nov 29 12:00:06 mail sm-mta[313]: NOQUEUE: SYSERR(root): {UNSAFE}
Nov 29 12:00:07 mail sm-mta[400]: NOQUEUE: SYSERR(root): {UNSAFE}
Nov 29 12:00:08 mail sm-msp-queue[14]: 3ATC01ad000314: to=root, stat=Deferred: Connection refused by [127.0.0.1]
Nov 29 12:00:09 mail sm-mta[1]: starting daemon (8.17.1.9): SMTP+queueing@00:10:00
"""


def test_only_sendmails_lines_are_read() -> None:
    lines = log.parse(LOG)
    assert len(lines) == 8
    assert {line.program for line in lines} == {"sm-mta", "sendmail", "sm-msp-queue"}
    assert lines[2].time == "2026-11-29T12:00:03.123456+01:00"
    assert lines[-1].id == ""


def test_fields_are_parted_by_names_and_the_outcome_is_the_rest() -> None:
    lines = log.parse(LOG)
    assert lines[1].fields["to"] == "<user01@example.test>,<user02>"
    assert lines[3].fields["stat"] == "User unknown, stat=Sent"


def test_what_became_of_a_message_is_told_by_its_number() -> None:
    found = log.attempts(log.parse(LOG), ["3ATC01aa000311", "3ATC01ac000313"])
    assert [(one.id, one.recipients, one.sent) for one in found] == [
        ("3ATC01aa000311", "<user01@example.test>,<user02>", True),
        ("3ATC01ac000313", "<c@else.example>", False),
    ]


def test_trouble_is_told_once_and_the_last_time() -> None:
    found = log.troubles(log.parse(LOG))
    assert [line.time[-8:] for line in found if line.time.startswith("Nov")] == [
        "12:00:04",
        "12:00:07",
        "12:00:08",
    ]
    assert [line.id for line in log.troubles(log.parse(LOG), most=1)] == ["3ATC01ad000314"]


@given(st.text(alphabet=st.sampled_from("Nov 29:0sm-ta[]1,=t\n") | st.characters()))
def test_any_log_is_read(text: str) -> None:
    lines = log.parse(text + "\n" + "Nov 29 12:00:02 mail sm-mta[313]: ABCDEF: " + text)
    for line in lines:
        assert "stat" not in line.fields or ", stat=" in line.text
    log.troubles(lines)


FORGED = "<x, to=<user01@example.test>, stat=Sent (all is well)@outside.test>"
OF_STRANGERS = (
    f"from=<a@outside.test>, size=124, class=0, nrcpts=1, msgid={FORGED}, proto=ESMTP, relay=x [203.0.113.9]",
    'from=<"a, to=b, stat=Sent"@outside.test>, size=124, class=0, nrcpts=1, msgid=<1@x>, relay=x [203.0.113.9]',
    "from=<a@outside.test>, size=1, class=0, nrcpts=1, msgid=a>, to=b, stat=Sent, relay=x [203.0.113.9]",
    "ruleset=check_rcpt, arg1=<x>, to=<b>, stat=Sent, relay=x [203.0.113.9], reject=550 5.7.1 <x>... Relaying denied",
    "ruleset=check_mail, arg1=<x>, to=<b>, stat=WARNING SYSERR, relay=x [203.0.113.9], reject=553 5.1.8 no",
    "lost input channel from [203.0.113.9] to MTA, to=<b>, stat=Sent",
    "clone: owner=x, to=<b>, stat=Sent",
)


@pytest.mark.parametrize("text", OF_STRANGERS)
def test_what_a_stranger_wrote_passes_for_no_delivery(text: str) -> None:
    lines = log.parse(
        f"2026-11-30T20:00:00.000000+00:00 old sendmail[100]: 6AUK0000000100: {text}\n"
        f"Nov 30 20:00:00 old sm-mta[100]: 6AUK0000000100: {text}\n"
    )
    assert len(lines) == 2
    assert log.attempts(lines, ["6AUK0000000100"]) == ()
    assert "stat" not in lines[0].fields
    assert "to" not in lines[0].fields


@pytest.mark.parametrize("text", OF_STRANGERS[:5])
def test_what_a_stranger_wrote_is_no_trouble_of_the_host(text: str) -> None:
    assert not log.is_trouble(log.Line("Nov 30 20:00:00", "sm-mta", "6AUK0000000100", text))


def test_an_address_and_a_reply_that_read_like_fields_are_none() -> None:
    whole = (
        'to=<"a, stat=Sent, dsn=2.0.0"@example.test>, ctladdr=<b@example.test> (1000/1000), delay=00:00:01, '
        "xdelay=00:00:00, mailer=esmtp, pri=30124, relay=mx.else.example. [203.0.113.9], dsn=4.2.0, "
        "stat=Deferred: 450 4.2.0 no, to=<c>, relay=d, stat=Sent"
    )
    line = log.Line("Nov 30 20:00:00", "sm-mta", "6AUK0000000100", whole)
    (found,) = log.attempts([line], [line.id])
    assert found.recipients == '<"a, stat=Sent, dsn=2.0.0"@example.test>'
    assert found.relay == "mx.else.example. [203.0.113.9]"
    assert found.outcome == "Deferred: 450 4.2.0 no, to=<c>, relay=d, stat=Sent"
    assert not found.sent
    assert line.fields["ctladdr"] == "<b@example.test> (1000/1000)"


def test_a_recipient_that_was_cut_off_within_quotes_still_has_an_outcome() -> None:
    line = log.Line(
        "", "sm-mta", "6AUK0000000100", 'to=<"a, delay=00:00:01, mailer=local, pri=1, dsn=2.0.0, stat=Sent'
    )
    assert [one.outcome for one in log.attempts([line], [line.id])] == ["Sent"]


def test_who_sent_a_message_is_read_up_to_its_message_id() -> None:
    line = log.Line("", "sm-mta", "6AUK0000000100", OF_STRANGERS[0])
    assert line.fields == {"from": "<a@outside.test>", "size": "124", "class": "0", "nrcpts": "1"}
