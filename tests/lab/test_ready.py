"""A name server of the lab is ready when it has all its zones, not when it listens."""

from __future__ import annotations

import dns.message
import dns.rcode

from tests.lab.lab import serves
from tests.lab.place import Place
from tests.net.dns_server import SOA, Behaviour, DnsServer, Zone

ZONES = Place(0).zones
ZONE = Zone()
for name in ZONES:
    ZONE.put(name, "SOA", 3600, SOA)


def ready(behaviour: Behaviour | None = None) -> bool:
    with DnsServer(ZONE, behaviour=behaviour) as server:
        return serves("127.0.0.1", ZONES, port=server.port, seconds=0.5)


def test_one_that_serves_them_all_is_ready() -> None:
    assert "100.51.198.in-addr.arpa." in ZONES
    assert ready()


def test_one_that_still_copies_a_zone_is_not() -> None:
    def copying(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        answer = ZONE.answer(query, tcp)
        if query.question[0].name.to_text() == "outside.test.":
            answer = dns.message.make_response(query)
            answer.set_rcode(dns.rcode.SERVFAIL)
        return answer

    assert not ready(copying)


def test_one_that_is_silent_is_not() -> None:
    assert not ready(lambda query, tcp: None)
