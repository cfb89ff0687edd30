"""STARTTLS of a server: measured as far as it lets anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.errors import SmtpError
from migrator.net import starttls
from tests.lab.relay import Relay
from tests.net.smtp_server import SmtpServer


def test_the_protocols_of_a_server_are_those_that_it_takes(tmp_path: Path) -> None:
    with Relay("127.0.0.1", tmp_path, "u", "p") as relay:
        found = starttls.protocols("127.0.0.1", relay.port)
        assert (found["SSLv3"], found["TLSv1.3"]) == (False, True)
        assert starttls.diffie_hellman("127.0.0.1", relay.port).offered


def test_a_server_without_starttls_offers_nothing() -> None:
    with SmtpServer() as server:
        assert not starttls.diffie_hellman(server.address, server.port).offered
        assert starttls.protocols(server.address, server.port) == {}


def test_a_server_that_is_no_tls_after_all_chose_nothing() -> None:
    replies = {"EHLO": b"250-mail\r\n250 STARTTLS\r\n", "STARTTLS": b"220 go\r\n"}
    with SmtpServer(replies) as server:
        offer = starttls.diffie_hellman(server.address, server.port, timeout=2)
    assert offer.offered
    assert offer.answer.alert == "this is no TLS"


def test_a_refusal_is_told_with_what_it_may_be() -> None:
    banner = b"421 4.3.2 Connection rate limit exceeded.\r\n"
    with SmtpServer({"banner": banner}) as server, pytest.raises(SmtpError) as raised:
        starttls.diffie_hellman(server.address, server.port)
    assert "rate limit" in (raised.value.seen or "")
    assert "ClientRate" in (raised.value.advice or "")
