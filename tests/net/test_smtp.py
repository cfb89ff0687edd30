"""Conversations with port 25: kept word for word, and ended in clear words whatever the server does."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import SmtpError
from migrator.net.smtp import Conversation, converse, received_hosts, smoke_message
from tests.net.smtp_server import Script, SmtpServer
from tests.net.test_message import HOSTILE

SENDER, USER = "postmaster@example.test", "user01@example.test"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def talk(
    server: SmtpServer, message: bytes | None = None, *, timeout: float = 2, total: float = 5
) -> Conversation:
    return converse(
        *(server.address, server.port),
        helo="operator.example.test",
        sender=SENDER,
        recipients=[USER],
        message=message,
        timeout=timeout,
        total=total,
    )


def talk_with(message: bytes | None = None, /, **replies: bytes) -> Conversation:
    with SmtpServer(replies) as server:
        return talk(server, message)


def test_a_message_is_accepted_and_the_whole_dialogue_is_kept(server: SmtpServer) -> None:
    found = talk(server, b"Subject: test\n\nHello\n")
    assert found.accepted
    assert found.error is None
    assert found.queue_id == "5AT2U1aB000123"
    assert found.text.splitlines() == [
        "< 220 mail.example.test ESMTP Sendmail 8.17.1.9/8.17.1.9",
        "> EHLO operator.example.test",
        "< 250-mail.example.test Hello",
        "< 250-PIPELINING",
        "< 250 HELP",
        f"> MAIL FROM:<{SENDER}>",
        "< 250 2.1.0 Sender ok",
        f"> RCPT TO:<{USER}>",
        "< 250 2.1.5 Recipient ok",
        "> DATA",
        '< 354 Enter mail, end with "." on a line by itself',
        "> Subject: test",
        "> ",
        "> Hello",
        "> .",
        "< 250 2.0.0 5AT2U1aB000123 Message accepted for delivery",
        "> QUIT",
        "< 221 2.0.0 mail.example.test closing connection",
    ]
    assert found.lines[0].at <= found.lines[-1].at < 2


def test_the_message_arrives_as_it_is(server: SmtpServer) -> None:
    message = smoke_message("token-1", SENDER, USER, datetime(2026, 11, 29, tzinfo=UTC))
    assert talk(server, message).accepted
    assert server.messages == [message]


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b".\n..x\ny", b"..\r\n...x\r\ny\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\nRCPT TO:<c@d>\n", b"a\r\n..\r\nRCPT TO:<c@d>\r\n"),
        (b"a\r\n.\rMAIL", b"a\r\n..\r\nMAIL\r\n"),
    ],
)
def test_no_line_of_a_message_ends_it_early(server: SmtpServer, message: bytes, sent: bytes) -> None:
    assert talk(server, message).accepted
    assert server.messages == [sent]
    assert not any("c@d" in command or command == "MAIL" for command in server.commands[3:])


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60))
def test_any_message_stays_one_message(message: bytes) -> None:
    with SmtpServer() as server:
        assert talk(server, message).accepted
        assert len(server.messages) == 1
        assert [command.split(" ")[0] for command in server.commands] == [
            "EHLO",
            "MAIL",
            "RCPT",
            "DATA",
            "QUIT",
        ]


def test_a_recipient_is_tried_without_a_message(server: SmtpServer) -> None:
    found = talk(server)
    assert found.accepted
    assert [command.split(" ")[0] for command in server.commands] == ["EHLO", "MAIL", "RCPT", "RSET", "QUIT"]
    assert found.queue_id is None
    assert found.deciding is not None
    assert (found.deciding.phase, found.deciding.code) == ("rcpt", 250)


def test_the_null_sender_can_be_used(server: SmtpServer) -> None:
    converse(server.address, server.port, helo="[127.0.0.1]", sender="", recipients=[USER])
    assert server.commands[1] == "MAIL FROM:<>"


def test_a_refused_recipient_keeps_the_message_back() -> None:
    with SmtpServer({"RCPT": b"550 5.7.1 Relaying denied\r\n"}) as server:
        found = talk(server, b"Subject: x\n\n")
        assert not found.accepted
        assert found.error is None
        assert server.messages == []
        assert found.deciding is not None
        assert (found.deciding.code, found.deciding.text) == (550, "5.7.1 Relaying denied")


@pytest.mark.parametrize(
    ("phase", "replies"),
    [
        ("banner", {"banner": b"554 5.7.1 no service\r\n"}),
        ("helo", {"EHLO": b"502 no\r\n", "HELO": b"550 5.0.0 go away\r\n"}),
        ("mail", {"MAIL": b"451 4.1.8 Domain of sender does not resolve\r\n"}),
        ("data", {"DATA": b"503 5.0.0 Need RCPT\r\n"}),
        ("message", {"message": b"452 4.3.1 Out of disk\r\n"}),
    ],
)
def test_every_refusal_is_found(phase: str, replies: dict[str, bytes]) -> None:
    found = talk_with(b"Subject: x\n\n", **replies)
    assert not found.accepted
    assert found.error is None
    assert found.deciding is not None
    assert found.deciding.phase == phase


def test_a_server_from_before_esmtp_is_greeted_with_helo() -> None:
    assert talk_with(EHLO=b"500 what?\r\n").accepted


def test_a_queue_id_of_another_program_is_read() -> None:
    assert talk_with(b"x", message=b"250 2.0.0 Ok: queued as 4F1A2B77\r\n").queue_id == "4F1A2B77"


def test_a_server_that_closes_after_taking_the_message_has_taken_it() -> None:
    found = talk_with(b"x", QUIT=b"")
    assert found.accepted
    assert found.error is None


def test_a_reply_to_the_message_that_never_comes_is_uncertain() -> None:
    found = talk_with(b"x", message=b"")
    assert found.uncertain
    assert not found.accepted
    assert "closed the connection" in (found.error or "")


def test_nothing_is_uncertain_before_the_message() -> None:
    assert not talk_with(b"x", DATA=b"").uncertain


def silent(connection: socket.socket, server: SmtpServer) -> None:
    server.over.wait(5)


def closing(connection: socket.socket, server: SmtpServer) -> None:
    return


def endless_line(connection: socket.socket, server: SmtpServer) -> None:
    while not server.over.is_set():
        connection.sendall(b"220" + b"x" * 4096)


def endless_reply(connection: socket.socket, server: SmtpServer) -> None:
    while not server.over.is_set():
        connection.sendall(b"220-more\r\n" * 50)


def dripping(connection: socket.socket, server: SmtpServer) -> None:
    while not server.over.wait(0.02):
        connection.sendall(b"2")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (silent, "no whole reply to banner in time"),
        (closing, "closed the connection before its reply to banner"),
        (endless_line, "a line of more than"),
        (endless_reply, "more than 100 lines"),
        (dripping, "no whole reply to banner in time"),
    ],
    ids=["silence", "early close", "endless line", "endless reply", "a byte at a time"],
)
def test_a_server_that_does_not_talk_is_left(script: Script, words: str) -> None:
    started = time.monotonic()
    with SmtpServer(script=script) as server:
        found = talk(server, timeout=0.3)
    assert time.monotonic() - started < 3
    assert found.connected
    assert not found.accepted
    assert words in (found.error or "")


@pytest.mark.parametrize(
    "banner",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n",
        b"220-a\r\n250 b\r\n",
        b"22 x\r\n",
        b"\xff\x00\r\n",
        b"999 x\r\n",
        b"220x\r\n",
    ],
)
def test_what_is_no_smtp_is_named(banner: bytes) -> None:
    found = talk_with(banner=banner)
    assert "no SMTP reply to banner" in (found.error or "")


def test_no_server_writes_control_codes_to_a_terminal() -> None:
    found = talk_with(banner=b"220 \x1b[2J\x07\x9b evil \xc3\xa9\r\n")
    assert found.lines[0].text == "220 \\x1b[2J\\x07\\x9b evil \\xc3\\xa9"


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=40))
def test_no_reply_makes_a_conversation_raise(reply: bytes) -> None:
    def script(connection: socket.socket, server: SmtpServer) -> None:
        connection.sendall(b"220 x\r\n" + reply)

    with SmtpServer(script=script) as server:
        assert not talk(server, timeout=1).accepted


def test_the_whole_dialogue_is_bounded() -> None:
    def slow(connection: socket.socket, server: SmtpServer) -> None:
        connection.sendall(b"220 x\r\n")
        while not server.over.wait(0.15):
            connection.sendall(b"250-x\r\n")

    started = time.monotonic()
    with SmtpServer(script=slow) as server:
        found = talk(server, timeout=60, total=0.5)
    assert "in time" in (found.error or "")
    assert time.monotonic() - started < 3


def test_a_port_where_nothing_listens_is_named() -> None:
    with SmtpServer() as server:
        pass
    found = talk(server)
    assert not found.connected
    assert "connection refused" in (found.error or "")
    with pytest.raises(SmtpError, match="connection refused"):
        found.require()


def test_what_is_required_is_returned(server: SmtpServer) -> None:
    found = talk(server)
    assert found.require() is found


def test_servers_on_ipv6_are_spoken_to_from_the_wanted_address() -> None:
    with SmtpServer(address="::1") as server:
        found = converse("::1", server.port, helo="o.test", sender=SENDER, recipients=[USER], source="::1")
        assert found.accepted
        assert server.peer == "::1"


@pytest.mark.parametrize("address", HOSTILE)
def test_nothing_is_sent_for_an_address_that_could_smuggle_commands(server: SmtpServer, address: str) -> None:
    with pytest.raises(SmtpError):
        converse(server.address, server.port, helo="o.test", sender=SENDER, recipients=[address])
    assert server.commands == []


@pytest.mark.parametrize("helo", ["", "a b", "a\r\nMAIL FROM:<>", "-x", "[1.2.3.4", "é"])
def test_only_host_names_are_sent_with_ehlo(server: SmtpServer, helo: str) -> None:
    with pytest.raises(SmtpError):
        converse(server.address, server.port, helo=helo, sender=SENDER, recipients=[USER])


def test_the_received_lines_can_be_read_from_here() -> None:
    assert received_hosts(b"Subject: none\n\n") == ()
