"""Which line of the access map counts, as the rulesets of proto.m4 look it up; the lab asks a real Sendmail."""

from __future__ import annotations

import pytest

from migrator.sendmail.effective import Table, accepts, barriers, missing
from migrator.sendmail.maps import Entry

OLD = "198.51.100.10"
LIMITS = ("ClientRate:198.51.100.10", "ClientConn:198.51.100.10", "GreetPause:198.51.100.10")


def connect(text: str, form: str = OLD) -> str | None:
    found = Table(text).by_address(form, "Connect", untagged=True)
    return found.key if found else None


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", None),
        ("Connect:198.51.100.10 RELAY\n", "Connect:198.51.100.10"),
        ("198.51.100.10 RELAY\nConnect:198.51.100 REJECT\n", "198.51.100.10"),
        ("198.51.100.10 RELAY\nConnect:198.51.100.10 OK\n", "Connect:198.51.100.10"),
        ("198.51.100 RELAY\nConnect:198.51 OK\n", "198.51.100"),
        ("198.51 RELAY\n", "198.51"),
        ("198 RELAY\n", "198"),
        ("connect:198.51 relay\n", "connect:198.51"),
        ("Connect:198.51.100.10 SKIP\n198.51.100 RELAY\n", None),
        ("Connect:198.51.10 RELAY\n198.51.100.1 RELAY\nTo:198.51.100.10 RELAY\n", None),
    ],
)
def test_the_nearest_line_counts_and_of_two_the_one_with_the_tag(text: str, counts: str | None) -> None:
    assert connect(text) == counts


def test_an_ipv6_address_loses_its_groups_one_after_another() -> None:
    text = "Connect:IPv6:2001:db8 RELAY\n"
    for form in ("IPv6:2001:db8::10", "IPv6:2001:db8:0:0:0:0:0:10"):
        assert connect(text, form) == "Connect:IPv6:2001:db8"
    assert connect("IPv6:2001:db8:0:0 OK\n", "IPv6:2001:db8:0:0:0:0:0:10") == "IPv6:2001:db8:0:0"
    assert connect("IPv6:2001:db8:0:0 OK\n", "IPv6:2001:db8::10") is None


def test_a_name_loses_its_labels() -> None:
    table = Table("example.test REJECT\nConnect:mail.example.test OK\n")
    assert table.by_name("old.example.test", "Connect", untagged=True) == Entry("example.test", "REJECT")
    assert accepts(table.by_name("mail.example.test.", "Connect", untagged=True))
    assert table.by_name("example.net", "Connect", untagged=True) is None


@pytest.mark.parametrize(
    "right",
    ["Connect:198.51.100.10 RELAY", "198.51.100.10 RELAY", "Connect:198.51.100 RELAY", "198.51 RELAY"],
)
def test_who_may_relay_goes_on_relaying(right: str) -> None:
    assert [entry.key for entry in missing(f"{right}\n", OLD)] == list(LIMITS)


def test_who_is_let_in_needs_no_line_for_it() -> None:
    assert [entry.key for entry in missing("Connect:198.51.100 OK\n", OLD)] == list(LIMITS)
    assert missing("", OLD)[0] == Entry("Connect:198.51.100.10", "OK")
    assert missing("Connect:198.51.100 SKIP\n", OLD)[0] == Entry("Connect:198.51.100.10", "OK")


def test_a_limit_that_a_wider_line_lifts_is_not_lifted_again() -> None:
    text = "Connect:198 OK\nClientRate:198.51.100 0\nClientConn:198.51 20\nGreetPause:198 0\n"
    assert missing(text, OLD) == (Entry("ClientConn:198.51.100.10", "0"),)


def test_a_pause_by_name_comes_before_that_of_the_address() -> None:
    text = "GreetPause:example.test 5000\n"
    assert missing(text, OLD, "old.example.test")[-1] == Entry("GreetPause:old.example.test", "0")
    assert missing(text, OLD, "old.example.net")[-1] == Entry("GreetPause:198.51.100.10", "0")


@pytest.mark.parametrize(
    "line",
    [
        "Connect:198.51.100.10 REJECT",
        "198.51.100 DISCARD",
        'Connect:198.51 ERROR:5.7.1:"550 not you"',
        "198 550 go away",
        "old.example.test REJECT",
        "Connect:example.test QUARANTINE:look",
    ],
)
def test_a_line_that_refuses_is_named(line: str) -> None:
    found = barriers(f"{line}\n", [OLD], {OLD: "old.example.test"})
    assert [f"{entry.key} {entry.value}" for entry in found] == [line]


def test_a_line_that_a_nearer_one_hides_refuses_nobody() -> None:
    assert barriers("Connect:198.51.100.10 OK\n198.51.100 REJECT\n", [OLD], {}) == ()
    assert barriers("198.51.100.11 REJECT\nexample.test REJECT\n", [OLD], {}) == ()
