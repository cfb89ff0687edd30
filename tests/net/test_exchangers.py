"""The MX hosts of a domain, asked of a real name server."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from migrator.errors import DnsError
from migrator.net.exchangers import exchangers
from migrator.net.nameserver import Server
from migrator.net.question import Patience
from tests.net.dns_server import DnsServer, Zone

QUICK = Patience(timeout=0.3, sleep=lambda seconds: None)


def test_hosts_come_in_the_order_of_their_preference() -> None:
    zone = Zone().put("example.test.", "MX", 60, "20 Backup.example.test.", "10 mail.example.test.")
    with DnsServer(zone) as server:
        assert exchangers("example.test", [server.text], patience=QUICK) == (
            "mail.example.test",
            "backup.example.test",
        )


def test_a_domain_without_mx_has_none() -> None:
    with DnsServer(Zone().put("example.test.", "A", 60, "198.51.100.10")) as server:
        assert exchangers("example.test", [server.text], patience=QUICK) == ()


def test_records_of_another_name_do_not_count() -> None:
    other = Zone().put("other.test.", "MX", 60, "10 mail.other.test.")

    def answer(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        stray = dns.message.make_query("other.test.", "MX")
        response = other.answer(query)
        response.answer += other.answer(stray).answer
        return response

    with DnsServer(other, behaviour=answer) as server:
        assert exchangers("example.test", [server.text], patience=QUICK) == ()


def test_a_server_of_another_zone_is_passed_over_for_the_domains_own() -> None:
    def refuse(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.REFUSED)
        return response

    with DnsServer(Zone(), behaviour=refuse) as server, DnsServer(Zone()) as system:
        with pytest.raises(DnsError) as raised:
            exchangers(
                "example.test",
                [server.text],
                system=[Server("system", system.address, system.port)],
                patience=QUICK,
            )
        assert system.asked
    assert "REFUSED" in (raised.value.seen or "")
