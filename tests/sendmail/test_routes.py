"""The entries that send mail to the new host, and those that let the old host in there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import maps, routes
from migrator.sendmail.text_error import TextError


def test_a_domain_is_relayed_to_an_address_without_an_mx_lookup() -> None:
    entry = routes.mailertable_entry("Example.TEST", ["198.51.100.20"])
    assert entry.line == "example.test\tesmtp:[198.51.100.20]"


def test_several_addresses_are_a_list_in_the_order_of_trial() -> None:
    entry = routes.mailertable_entry("example.test", ["2001:DB8:0::20", "198.51.100.20"])
    assert entry.value == "esmtp:[IPv6:2001:db8::20]:[198.51.100.20]"


def test_relaying_is_allowed_to_the_domain_alone() -> None:
    assert routes.access_relay_entry("example.test").line == "To:example.test\tRELAY"


def test_the_old_host_is_spared_every_check() -> None:
    assert [entry.line for entry in routes.exemption_entries("198.51.100.10")] == [
        "Connect:198.51.100.10\tOK",
        "ClientRate:198.51.100.10\t0",
        "ClientConn:198.51.100.10\t0",
        "GreetPause:198.51.100.10\t0",
    ]


def test_an_ipv6_address_is_exempted_in_both_forms_in_which_sendmail_may_look_it_up() -> None:
    keys = [entry.key for entry in routes.exemption_entries("2001:db8::10")]
    assert keys[0] == "Connect:IPv6:2001:db8::10"
    assert keys[4] == "Connect:IPv6:2001:db8:0:0:0:0:0:10"
    assert len(keys) == 8


def test_an_ipv4_address_inside_ipv6_is_looked_up_as_ipv4() -> None:
    assert routes.address_keys("::ffff:198.51.100.10") == ("198.51.100.10",)


@pytest.mark.parametrize(
    "address", ["", "198.51.100", "fe80::1%eth0", "[198.51.100.1]", "a]\nb", "198.51.100.0/24"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(TextError):
        routes.exemption_entries(address)


@pytest.mark.parametrize("addresses", [[], ["mail.example.test"]])
def test_a_route_to_nowhere_is_refused(addresses: list[str]) -> None:
    with pytest.raises(TextError):
        routes.mailertable_entry("example.test", addresses)


@given(st.ip_addresses().filter(lambda address: "%" not in str(address)))
def test_every_entry_can_stand_in_a_table(address: object) -> None:
    entries = (
        routes.mailertable_entry("example.test", [str(address)]),
        *routes.exemption_entries(str(address)),
    )
    for entry in entries:
        assert maps.checked(entry.key, entry.value) == entry
