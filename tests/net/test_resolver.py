"""Every server at every address is asked, and what it says is judged before it is believed."""

import socket
import time
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import DnsError
from migrator.net.nameserver import PUBLIC_RESOLVERS, Server, host_and_port
from migrator.net.resolver import Answer, Outcome, Patience, Resolver
from tests.net.dns_server import SOA, Behaviour, DnsServer, Reply, Zone

MAIL = "mail.example.test"
SHORT = Patience(timeout=0.25, sleep=lambda seconds: None)


def mail_zone() -> Zone:
    return (
        Zone()
        .put("example.test.", "SOA", 3600, SOA)
        .put("example.test.", "NS", 3600, "ns1.example.test.", "ns2.example.test.")
        .put("ns1.example.test.", "A", 3600, "127.0.0.1")
        .put("ns2.example.test.", "A", 3600, "127.0.0.2")
        .put("ns2.example.test.", "AAAA", 3600, "::1")
        .put(f"{MAIL}.", "A", 900, "198.51.100.20", "198.51.100.10")
        .put("www.example.test.", "CNAME", 900, f"{MAIL}.")
    )


@pytest.fixture
def zone() -> Zone:
    return mail_zone()


@pytest.fixture
def server(zone: Zone) -> Iterator[DnsServer]:
    with DnsServer(zone) as server:
        yield server


def ask(server: DnsServer, name: str = MAIL) -> dict[str, Answer]:
    """Ask one server with authority, as the plan's only name server; the answers by type."""
    found = Resolver([server.text], patience=SHORT).query_authoritative(name)
    return {answer.rdtype: answer for answer in found}


def ask_behaving(behaviour: Behaviour, name: str = MAIL) -> Answer:
    with DnsServer(mail_zone(), behaviour=behaviour) as server:
        return ask(server, name)["A"]


def test_an_answer_has_the_server_the_sorted_addresses_and_the_ttl(server: DnsServer) -> None:
    place = Server("127.0.0.1", "127.0.0.1", server.port)
    assert ask(server)["A"] == Answer(place, "A", ("198.51.100.10", "198.51.100.20"), 900, None, True)


def test_no_records_of_a_type_is_an_answer_and_no_error(server: DnsServer) -> None:
    answer = ask(server)["AAAA"]
    assert (answer.addresses, answer.ttl, answer.error, answer.outcome) == ((), None, None, Outcome.ANSWERED)


def test_authoritative_questions_do_not_ask_for_recursion(server: DnsServer) -> None:
    ask(server)
    assert [query.flags & dns.flags.RD for query, _ in server.asked] == [0, 0]


def test_resolvers_are_asked_to_recurse_and_need_no_authority(zone: Zone) -> None:
    def cached(query: dns.message.Message, tcp: bool) -> Reply:
        response = zone.answer(query)
        response.flags &= ~int(dns.flags.AA)
        for records in response.answer:
            records.ttl = 17
        return response

    with DnsServer(zone, behaviour=cached) as server:
        found = Resolver(patience=SHORT).query_resolvers(MAIL, [server.text], ["A"])
        assert [(answer.ttl, answer.error, answer.authoritative) for answer in found] == [(17, None, False)]
        assert server.asked[0][0].flags & dns.flags.RD


def test_the_zones_own_servers_are_asked_at_every_address(zone: Zone) -> None:
    with DnsServer(zone) as system:
        resolver = Resolver(system=[Server("system", "127.0.0.1", system.port)], patience=SHORT)
        assert resolver.zone(MAIL).to_text() == "example.test."
        assert resolver.authoritative(MAIL) == (
            Server("ns1.example.test", "127.0.0.1"),
            Server("ns2.example.test", "127.0.0.2"),
            Server("ns2.example.test", "::1"),
        )


def test_a_name_server_of_the_plan_is_found_at_every_address(zone: Zone) -> None:
    with DnsServer(zone) as system:
        resolver = Resolver(["ns2.example.test:5353"], system=[Server("system", "127.0.0.1", system.port)])
        assert [server.address for server in resolver.authoritative(MAIL)] == ["127.0.0.2", "::1"]
        assert {server.port for server in resolver.authoritative(MAIL)} == {5353}


def test_a_name_server_without_an_address_is_not_passed_over(zone: Zone) -> None:
    zone.put("example.test.", "NS", 3600, "gone.example.test.")
    with DnsServer(zone) as system:
        resolver = Resolver(system=[Server("system", "127.0.0.1", system.port)], patience=SHORT)
        found = resolver.query_authoritative(MAIL, ["A"])
        assert [(answer.server.name, answer.outcome) for answer in found] == [
            ("gone.example.test", Outcome.NO_ADDRESS)
        ]
        assert found[0].error


def test_a_resolver_that_fails_is_followed_by_the_next(zone: Zone) -> None:
    with DnsServer(zone, behaviour=refusing(dns.rcode.SERVFAIL)) as broken, DnsServer(zone) as system:
        servers = [Server("one", "127.0.0.1", broken.port), Server("two", "127.0.0.1", system.port)]
        assert Resolver(system=servers, patience=SHORT).zone(MAIL).to_text() == "example.test."
        with pytest.raises(DnsError) as raised:
            Resolver(system=servers[:1], patience=SHORT).zone(MAIL)
        assert "SERVFAIL" in (raised.value.seen or "")


def test_a_name_in_no_zone_is_an_error(zone: Zone) -> None:
    with DnsServer(zone) as system, pytest.raises(DnsError, match="no zone is found"):
        Resolver(system=[Server("system", "127.0.0.1", system.port)], patience=SHORT).zone(
            "mail.elsewhere.invalid"
        )


def test_servers_on_ipv6_are_asked(zone: Zone) -> None:
    if not socket.has_ipv6:
        raise AssertionError("this machine has no IPv6")
    with DnsServer(zone, address="::1") as server:
        assert ask(server)["A"].addresses == ("198.51.100.10", "198.51.100.20")


def refusing(code: dns.rcode.Rcode) -> Behaviour:
    def behave(query: dns.message.Message, tcp: bool) -> Reply:
        response = dns.message.make_response(query)
        response.set_rcode(code)
        return response

    return behave


@pytest.mark.parametrize(
    ("code", "outcome", "word"),
    [
        (dns.rcode.REFUSED, Outcome.REFUSED, "REFUSED"),
        (dns.rcode.SERVFAIL, Outcome.FAILED, "SERVFAIL"),
        (dns.rcode.NOTAUTH, Outcome.FAILED, "NOTAUTH"),
        (dns.rcode.NOERROR, Outcome.LAME, "lame"),
        (dns.rcode.NXDOMAIN, Outcome.LAME, "lame"),
    ],
)
def test_a_server_that_cannot_say_is_an_error(code: dns.rcode.Rcode, outcome: Outcome, word: str) -> None:
    answer = ask_behaving(refusing(code))
    assert answer.outcome is outcome
    assert word in (answer.error or "")
    assert answer.addresses == ()


def test_a_name_that_does_not_exist_is_an_error(server: DnsServer) -> None:
    answer = ask(server, "mial.example.test")["A"]
    assert answer.outcome is Outcome.NAME_ERROR
    assert "NXDOMAIN" in (answer.error or "")


def test_a_mail_host_that_is_an_alias_is_an_error(server: DnsServer) -> None:
    answer = ask(server, "www.example.test")["A"]
    assert answer.outcome is Outcome.ALIAS
    assert "mail.example.test." in (answer.error or "")


def test_silence_is_an_error_after_several_tries(zone: Zone) -> None:
    with DnsServer(zone, behaviour=lambda query, tcp: None) as server:
        answer = ask(server)["A"]
        assert answer.outcome is Outcome.TIMEOUT
        assert len([1 for query, _ in server.asked if query.question[0].rdtype == 1]) == 3


def test_servers_are_asked_at_the_same_time(zone: Zone) -> None:
    def slow(query: dns.message.Message, tcp: bool) -> Reply:
        time.sleep(0.2)
        return zone.answer(query)

    with DnsServer(zone, behaviour=slow) as one, DnsServer(zone, behaviour=slow) as two:
        started = time.monotonic()
        found = Resolver([one.text, two.text]).query_authoritative(MAIL)
        assert time.monotonic() - started < 0.7
        assert [answer.error for answer in found] == [None] * 4


def test_a_truncated_reply_is_asked_for_again_over_tcp(zone: Zone) -> None:
    def truncating(query: dns.message.Message, tcp: bool) -> Reply:
        if tcp:
            return zone.answer(query)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC | dns.flags.AA
        return response

    with DnsServer(zone, behaviour=truncating) as server:
        assert ask(server)["A"].addresses == ("198.51.100.10", "198.51.100.20")
        assert any(tcp for _, tcp in server.asked)


def test_an_answer_that_is_cut_even_over_tcp_is_an_error_and_not_no_records(zone: Zone) -> None:
    def cutting(query: dns.message.Message, tcp: bool) -> Reply:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC | dns.flags.AA
        return response

    answer = ask_behaving(cutting)
    assert answer.outcome is Outcome.MALFORMED
    assert "cut off" in (answer.error or "")


def test_a_server_that_is_slower_than_the_first_try_is_heard_at_a_later_one(zone: Zone) -> None:
    def slow(query: dns.message.Message, tcp: bool) -> Reply:
        time.sleep(SHORT.timeout * 1.3)
        return zone.answer(query)

    assert ask_behaving(slow).addresses == ("198.51.100.10", "198.51.100.20")


def test_a_server_from_before_edns_is_asked_without(zone: Zone) -> None:
    def old(query: dns.message.Message, tcp: bool) -> Reply:
        return zone.answer(query) if query.edns < 0 else refusing(dns.rcode.FORMERR)(query, tcp)

    with DnsServer(zone, behaviour=old) as server:
        assert ask(server)["A"].addresses == ("198.51.100.10", "198.51.100.20")


def test_records_of_other_names_do_not_count(zone: Zone) -> None:
    def generous(query: dns.message.Message, tcp: bool) -> Reply:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        response.answer.append(dns.rrset.from_text("other.example.test.", 60, "IN", "A", "203.0.113.66"))
        return response

    answer = ask_behaving(generous)
    assert (answer.addresses, answer.error) == ((), None)


def test_more_addresses_than_believable_are_an_error(zone: Zone) -> None:
    zone.put(f"{MAIL}.", "A", 60, *(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(100)))
    answer = ask_behaving(zone.answer)
    assert answer.outcome is Outcome.MALFORMED
    assert answer.addresses == ()


def with_another_id(query: dns.message.Message, tcp: bool) -> Reply:
    response = mail_zone().answer(query)
    response.id ^= 1
    return response


def with_another_question(query: dns.message.Message, tcp: bool) -> Reply:
    other = dns.message.make_query("evil.example.test", "A", id=query.id)
    return mail_zone().answer(other)


@pytest.mark.parametrize(
    "behaviour",
    [
        with_another_id,
        with_another_question,
        lambda query, tcp: b"\x00" * 5,
        lambda query, tcp: query.to_wire(),
    ],
    ids=["another id", "another question", "garbage", "an echo"],
)
def test_what_is_no_reply_to_the_question_is_passed_over(behaviour: Behaviour) -> None:
    answer = ask_behaving(behaviour)
    assert answer.outcome is Outcome.TIMEOUT
    assert answer.addresses == ()


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=80))
def test_no_reply_makes_a_question_raise(tail: bytes) -> None:
    patience = Patience(timeout=0.02, sleep=lambda seconds: None)
    with DnsServer(mail_zone(), behaviour=lambda query, tcp: query.to_wire()[:2] + tail) as server:
        for answer in Resolver([server.text], patience=patience).query_authoritative(MAIL, ["A"]):
            assert answer.error


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("ns1.example.test", ("ns1.example.test", 53)),
        ("ns1.example.test.:5353", ("ns1.example.test", 5353)),
        ("198.51.100.53", ("198.51.100.53", 53)),
        ("198.51.100.53:54", ("198.51.100.53", 54)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_a_plan_names_servers_by_host_or_address_and_port(text: str, parsed: tuple[str, int]) -> None:
    assert host_and_port(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns1:0",
        "ns1:65536",
        "ns 1",
        "-ns1",
        "[ns1]:53",
        "198.51.100.300",
        "fe80::1%eth0",
        "a..b",
        "$(id)",
        "ns1\n",
    ],
)
def test_what_names_no_server_is_refused(text: str) -> None:
    with pytest.raises(DnsError):
        host_and_port(text)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".test", "."])
def test_what_is_no_domain_name_is_refused(name: str) -> None:
    with pytest.raises(DnsError):
        Resolver(["127.0.0.1"], system=[]).zone(name)


def test_servers_are_shown_as_people_write_them() -> None:
    assert str(Server("ns1.example.test", "198.51.100.53")) == "ns1.example.test (198.51.100.53)"
    assert str(Server("::1", "::1", 54)) == "::1 ([::1]:54)"
    assert str(Server("198.51.100.53", "198.51.100.53")) == "198.51.100.53"
    assert str(Server("ns1.example.test", "")) == "ns1.example.test (no address)"
    assert [server.address for server in PUBLIC_RESOLVERS] == ["1.1.1.1", "8.8.8.8", "9.9.9.9"]


def without_answer_to_edns(query: dns.message.Message, tcp: bool) -> Reply:
    return None if query.edns >= 0 else mail_zone().answer(query)


def wanting_a_cookie(query: dns.message.Message, tcp: bool) -> Reply:
    return mail_zone().answer(query) if tcp or query.edns < 0 else refusing(dns.rcode.BADCOOKIE)(query, tcp)


def wanting_a_cookie_with_edns_always(query: dns.message.Message, tcp: bool) -> Reply:
    return refusing(dns.rcode.BADCOOKIE)(query, tcp) if query.edns >= 0 else mail_zone().answer(query)


def of_before_edns(code: dns.rcode.Rcode) -> Behaviour:
    return lambda query, tcp: refusing(code)(query, tcp) if query.edns >= 0 else mail_zone().answer(query)


def over_tcp_alone(query: dns.message.Message, tcp: bool) -> Reply:
    return mail_zone().answer(query) if tcp else None


def cut_off_below(size: int) -> Behaviour:
    """Return a server that fills what it is offered, and answers nothing over TCP."""

    def behave(query: dns.message.Message, tcp: bool) -> Reply:
        if tcp:
            return b""
        if query.payload >= size:
            return mail_zone().answer(query)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC | dns.flags.AA
        return response

    return behave


@pytest.mark.parametrize(
    "behaviour",
    [
        without_answer_to_edns,
        wanting_a_cookie,
        wanting_a_cookie_with_edns_always,
        of_before_edns(dns.rcode.FORMERR),
        of_before_edns(dns.rcode.NOTIMP),
        of_before_edns(dns.rcode.SERVFAIL),
        over_tcp_alone,
        cut_off_below(2000),
    ],
    ids=["dropped", "cookie", "cookie again", "FORMERR", "NOTIMP", "SERVFAIL", "TCP alone", "TCP refused"],
)
def test_a_server_that_wants_the_question_in_another_form_gets_it(behaviour: Behaviour) -> None:
    with DnsServer(mail_zone(), behaviour=behaviour) as server:
        answers = ask(server)
    assert answers["A"].addresses == ("198.51.100.10", "198.51.100.20")
    assert (answers["AAAA"].addresses, answers["AAAA"].error) == ((), None)


def test_what_is_cut_off_at_any_size_stays_an_error() -> None:
    answer = ask_behaving(cut_off_below(70000))
    assert answer.outcome is Outcome.MALFORMED
    assert "cut off" in (answer.error or "")


def test_a_name_server_whose_aaaa_nobody_tells_is_asked_at_its_other_address(zone: Zone) -> None:
    def half(query: dns.message.Message, tcp: bool) -> Reply:
        broken = query.question[0].rdtype == dns.rdatatype.AAAA
        return refusing(dns.rcode.SERVFAIL)(query, tcp) if broken else zone.answer(query)

    with DnsServer(zone, behaviour=half) as system:
        resolver = Resolver(system=[Server("system", "127.0.0.1", system.port)], patience=SHORT)
        assert [server.address for server in resolver.authoritative(MAIL)] == ["127.0.0.1", "127.0.0.2"]
        with pytest.raises(DnsError):
            Resolver(
                ["gone.example.test"], system=[Server("system", "127.0.0.1", system.port)]
            ).authoritative(MAIL)
