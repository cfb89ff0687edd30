"""Address records change in one signed message, or an error says why not and what to do."""

import threading
from collections.abc import Iterator
from typing import Literal

import dns.name
import dns.rcode
import dns.tsig
import pytest

from migrator.change import AddressSet
from migrator.errors import DnsError
from migrator.net.nameserver import Server
from migrator.net.tsig import TsigKey
from migrator.net.update import update, update_message
from migrator.secret import Secret
from tests.net.dns_server import SOA, DnsServer, Zone

MAIL = "mail.example.test"
SECRET = "c2VjcmV0IG9mIHRoZSBsYWIgZm9yIHRlc3RzIG9ubHk="
KEY = TsigKey("lab.", "hmac-sha256", Secret(SECRET))
NEW_A = AddressSet("A", ("198.51.100.20", "198.51.100.21"), 900)
NO_AAAA = AddressSet("AAAA", (), 900)


@pytest.fixture
def zone() -> Zone:
    zone = Zone().put("example.test.", "SOA", 3600, SOA).put(f"{MAIL}.", "A", 3600, "198.51.100.10")
    zone.put(f"{MAIL}.", "AAAA", 3600, "2001:db8::10").put(f"{MAIL}.", "TXT", 60, '"kept"')
    name = dns.name.from_text("lab.")
    zone.keys[name] = dns.tsig.Key(name, SECRET, dns.tsig.HMAC_SHA256)
    return zone


@pytest.fixture
def server(zone: Zone) -> Iterator[DnsServer]:
    with DnsServer(zone) as server:
        yield server


def place(server: DnsServer) -> Server:
    return Server("ns1.example.test", server.address, server.port)


def failure(server: DnsServer, *, zone: str = "example.test", key: TsigKey = KEY) -> DnsError:
    with pytest.raises(DnsError) as raised:
        update(place(server), zone, MAIL, [NEW_A], key, timeout=2)
    assert SECRET not in str(raised.value) + str(raised.value.seen) + str(raised.value.advice)
    return raised.value


def unsigned(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    """A bare header that answers an update: same id, QR, opcode UPDATE and the code."""
    return wire[:2] + bytes([0xA8, code]) + bytes(8)


def test_all_types_change_in_one_message(server: DnsServer, zone: Zone) -> None:
    update(place(server), "example.test", MAIL, [NEW_A, NO_AAAA], KEY)
    assert zone.addresses(f"{MAIL}.", "A") == (900, ["198.51.100.20", "198.51.100.21"])
    assert zone.addresses(f"{MAIL}.", "AAAA") is None
    assert zone.addresses(f"{MAIL}.", "TXT") == (60, ['"kept"'])
    assert len(server.updates) == 1


def test_an_update_bears_repetition(server: DnsServer, zone: Zone) -> None:
    for _ in range(2):
        update(place(server), "example.test", MAIL, [NEW_A], KEY)
    assert zone.addresses(f"{MAIL}.", "A") == (900, ["198.51.100.20", "198.51.100.21"])


def test_nothing_changes_where_the_records_are_not_as_expected(server: DnsServer, zone: Zone) -> None:
    expected: dict[Literal["A", "AAAA"], list[str]] = {"A": ["198.51.100.99"]}
    with pytest.raises(DnsError, match="NXRRSET") as raised:
        update(place(server), "example.test", MAIL, [NEW_A], KEY, only_if=expected)
    assert "no longer what they were" in (raised.value.advice or "")
    assert zone.addresses(f"{MAIL}.", "A") == (3600, ["198.51.100.10"])


def test_the_update_is_made_where_the_records_are_as_expected(server: DnsServer, zone: Zone) -> None:
    expected: dict[Literal["A", "AAAA"], list[str]] = {"A": ["198.51.100.10"], "AAAA": ["2001:db8::10"]}
    update(place(server), "example.test", MAIL, [NEW_A, NO_AAAA], KEY, only_if=expected)
    update(place(server), "example.test", MAIL, [NEW_A], KEY, only_if={"AAAA": []})
    assert zone.addresses(f"{MAIL}.", "A") == (900, ["198.51.100.20", "198.51.100.21"])


def test_an_unknown_key_is_named(server: DnsServer) -> None:
    error = failure(server, key=TsigKey("other.", "hmac-sha256", Secret(SECRET)))
    assert error.seen == "BADKEY"
    assert "key_name" in (error.advice or "")


def test_a_wrong_secret_is_named(server: DnsServer, zone: Zone) -> None:
    error = failure(server, key=TsigKey("lab.", "hmac-sha256", Secret("d3Jvbmc=")))
    assert error.seen == "BADSIG"
    assert "secret" in (error.advice or "")
    assert zone.addresses(f"{MAIL}.", "A") == (3600, ["198.51.100.10"])


def test_clocks_apart_are_named(server: DnsServer, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone, "take", lambda wire: zone._key_fault(wire, dns.rcode.BADTIME))
    error = failure(server)
    assert error.seen == "BADTIME"
    assert "NTP" in (error.advice or "")


def test_a_server_of_another_zone_is_named(server: DnsServer, zone: Zone) -> None:
    zone.origin = "elsewhere.test."
    error = failure(server)
    assert error.seen == "NOTAUTH"
    assert "primary" in (error.advice or "")


@pytest.mark.parametrize(
    "code", [dns.rcode.REFUSED, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.YXDOMAIN]
)
def test_a_refusal_says_what_to_do(
    server: DnsServer, code: dns.rcode.Rcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "reply", lambda wire, tcp: unsigned(wire, code))
    error = failure(server)
    assert error.seen == dns.rcode.to_text(code)
    assert error.advice


def test_a_confirmation_without_a_signature_is_not_believed(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "reply", lambda wire, tcp: unsigned(wire, dns.rcode.NOERROR))
    assert "without a signature" in (failure(server).seen or "")


def test_a_server_that_is_not_there_is_an_error(zone: Zone) -> None:
    with DnsServer(zone) as server:
        pass
    assert "TCP port 53" in (failure(server).advice or "")


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (b"", "the connection was closed without a reply"),
        (b"\x00\x05garba", "a malformed reply"),
        (b"\xa8" * 12, "a malformed reply"),
    ],
    ids=["closed", "garbage", "another id"],
)
def test_a_reply_that_cannot_be_read_leaves_the_outcome_open(
    server: DnsServer, reply: bytes, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "reply", lambda wire, tcp: reply)
    failed = failure(server)
    assert seen in (failed.seen or "")
    assert "may have been made" in (failed.advice or "")


def test_silence_leaves_the_outcome_open(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(server, "reply", lambda wire, tcp: over.wait(5) and None)
    with pytest.raises(DnsError, match="silence") as raised:
        update(place(server), "example.test", MAIL, [NEW_A], KEY, timeout=0.1)
    over.set()
    assert "may have been made" in (raised.value.advice or "")


@pytest.mark.parametrize(
    ("zone_name", "name", "sets"),
    [
        ("example.test", "mail.elsewhere.test", [NEW_A]),
        ("example.test", "a..b", [NEW_A]),
        ("example.test", MAIL, [AddressSet("A", ("2001:db8::20",), 900)]),
        ("example.test", MAIL, [AddressSet("AAAA", ("$(id)",), 900)]),
        ("example.test", MAIL, [AddressSet("A", ("198.51.100.20",), -1)]),
    ],
    ids=["outside the zone", "no name", "another family", "no address", "negative TTL"],
)
def test_what_cannot_be_records_is_never_sent(zone_name: str, name: str, sets: list[AddressSet]) -> None:
    with pytest.raises(DnsError):
        update_message(zone_name, name, sets, KEY)


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha512", "hmac-sha1", "hmac-md5"])
def test_every_algorithm_signs(algorithm: str) -> None:
    message = update_message("example.test", MAIL, [NEW_A], TsigKey("lab.", algorithm, Secret(SECRET)))
    assert algorithm.encode() in message.to_wire().lower()


def test_what_signs_does_not_tell_the_secret() -> None:
    message = update_message("example.test", MAIL, [NEW_A], KEY)
    assert SECRET not in f"{message.keyring!r} {message!r} {message}"
