"""The message that is sent as a test, and the way of one that arrived."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import SmtpError
from migrator.net.message import Hop, checked_address, received_hosts, smoke_message

DATE = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
ARRIVED = b"""Return-Path: <postmaster@example.test>
Received: from mail.example.test (old.example.test [198.51.100.10])
\tby mail.example.test (8.17.1.9/8.17.1.9/Debian-2) with ESMTPS id 5AT2U1aB000123
\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NOT)
\tfor <user01@example.test>; Sun, 29 Nov 2026 02:30:01 GMT
Received: from operator ([IPv6:2001:db8::30] (may be forged))
\tby mail.example.test (8.17.1.9/8.17.1.9/Debian-2) with ESMTP id 5AT2U0xy000456
\tfor <user01@example.test>; Sun, 29 Nov 2026 02:30:00 GMT
X-Migrate-Token: token-1

Received: from forged ([203.0.113.66]) by body; Sun, 29 Nov 2026 02:30:00 GMT
"""


def test_a_message_has_its_token_and_all_it_needs() -> None:
    raw = smoke_message("migrate-demo-old-1", "postmaster@example.test", "user01@example.test", DATE)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["X-Migrate-Token"] == "migrate-demo-old-1"
    assert message["From"] == "postmaster@example.test"
    assert message["To"] == "user01@example.test"
    assert message["Date"].datetime == DATE
    assert message["Message-ID"].endswith("@example.test>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert "migrate-demo-old-1" in message.get_content()
    assert raw.count(b"\n") == raw.count(b"\r\n")


def test_a_long_token_stands_whole_in_header_and_body() -> None:
    token, user = "t" * 128, f"{'u' * 64}@{'long.' * 30}test"
    raw = smoke_message(token, user, user, DATE)
    assert f"\r\nX-Migrate-Token: {token}\r\n".encode() in raw
    assert raw.count(token.encode()) == 4
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


def test_every_message_has_an_id_of_its_own() -> None:
    ids = {
        email.message_from_bytes(smoke_message(token, "a@example.test", "b@example.test", DATE))["Message-ID"]
        for token in ("one", "two")
    }
    assert len(ids) == 2


@pytest.mark.parametrize("token", ["", "a b", "a\r\nBcc: x@example.test", "é", "a" * 129])
def test_a_token_cannot_bring_headers_along(token: str) -> None:
    with pytest.raises(SmtpError):
        smoke_message(token, "a@example.test", "b@example.test", DATE)


HOSTILE = [
    "",
    "a@b\r\nRCPT TO:<c@d>",
    "a@b\n",
    "<a@b>",
    "a b@c",
    "a@",
    "@b",
    "a@b@c",
    "-v@example.test",
    "ü@example.test",
    "a\0@b",
    "a,b@c",
    "a" * 255,
    'x"y@z',
]


@pytest.mark.parametrize("address", HOSTILE)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    with pytest.raises(SmtpError):
        checked_address(address)
    with pytest.raises(SmtpError):
        smoke_message("token", "a@example.test", address, DATE)


@pytest.mark.parametrize(
    "address", ["user01@example.test", "postmaster", "a+b.c_d=e'f@xn--bcher-kva.test", "root@h"]
)
def test_plain_addresses_are_taken_as_they_are(address: str) -> None:
    assert checked_address(address) == address


@given(st.text())
def test_no_address_can_end_a_command(address: str) -> None:
    try:
        taken = checked_address(address)
    except SmtpError:
        return
    assert not set(taken) & set("\r\n<> \0")


def test_the_hops_are_read_from_the_header_alone_newest_first() -> None:
    assert received_hosts(ARRIVED) == (
        Hop("mail.example.test", "old.example.test", "198.51.100.10", "mail.example.test"),
        Hop("operator", "", "2001:db8::30", "mail.example.test"),
    )


def test_line_ends_of_the_wire_are_read_as_well() -> None:
    assert received_hosts(ARRIVED.replace(b"\n", b"\r\n")) == received_hosts(ARRIVED)


def test_a_piece_of_an_mbox_is_searched_for_the_message() -> None:
    other = (
        b"Received: from other ([203.0.113.1]) by elsewhere; date\nSubject: x\n\nend of another message\n\n"
    )
    piece = other + b"From postmaster@example.test Sun Nov 29 02:30:01 2026\n" + ARRIVED
    assert received_hosts(piece, holding="token-1") == received_hosts(ARRIVED)


@pytest.mark.parametrize(
    ("line", "hop"),
    [
        (
            "(from root@localhost) by mail.example.test (8.17/Submit) id 5A; d",
            Hop("", "localhost", "", "mail.example.test"),
        ),
        ("by mx.example.test (Postfix, from userid 0) id 9; d", Hop("", "", "", "mx.example.test")),
        ("from [203.0.113.9] (helo=x) by y; d", Hop("[203.0.113.9]", "", "", "y")),
        ("from a (root@b [203.0.113.9]) by c; d", Hop("a", "b", "203.0.113.9", "c")),
        ("nonsense", Hop("", "", "", "")),
    ],
)
def test_lines_of_other_programs_are_read_as_far_as_they_go(line: str, hop: Hop) -> None:
    assert received_hosts(f"Received: {line}\nSubject: x\n\n".encode()) == (hop,)


@given(st.binary())
def test_any_bytes_can_be_searched(raw: bytes) -> None:
    for hop in received_hosts(b"Received: " + raw):
        assert len(hop) == 4
