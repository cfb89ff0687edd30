"""The verdicts of `sendmail -bv`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import verification
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import Verdict

OUTPUT = """\
Warning: Cannot use HostStatusDirectory = .hoststat: No such file or directory
nosuch... User unknown
root@example.test... deliverable: mailer local, user root
a@moved.test... deliverable: mailer esmtp, host [198.51.100.20]:[IPv6:2001:db8::20], user a@moved.test
"""


def test_a_relayed_address_names_mailer_host_and_user() -> None:
    assert verification.verdict_on(OUTPUT, "A@moved.test") == Verdict(
        "a@moved.test", "esmtp", "[198.51.100.20]:[IPv6:2001:db8::20]", "a@moved.test"
    )


def test_hosts_are_a_list_of_addresses_however_they_are_written() -> None:
    host = "[198.51.100.20]:[ipv6:2001:DB8:0::20],mail.Example.test"
    verdict = Verdict("a@b", "esmtp", host, "a@b")
    assert verdict.hosts == ("198.51.100.20", "2001:db8::20", "mail.example.test")
    assert Verdict("a", "local", "", "a").hosts == ()


def test_a_local_address_has_no_host() -> None:
    assert verification.verdict_on(OUTPUT, "root@example.test") == Verdict(
        "root@example.test", "local", "", "root"
    )


def test_a_refused_address_carries_the_reason() -> None:
    assert verification.verdict_on(OUTPUT, "nosuch") == Verdict("nosuch", error="User unknown")


def test_a_warning_is_no_verdict() -> None:
    assert [verdict.address for verdict in verification.parse(OUTPUT)] == [
        "nosuch",
        "root@example.test",
        "a@moved.test",
    ]


def test_an_address_without_a_verdict_has_none() -> None:
    assert verification.verdict_on(OUTPUT, "postmaster") is None


@pytest.mark.parametrize(
    "address", ["", "-bs", "a b@c", "a,b", '"a... deliverable: mailer x"@y', "a...b@c", "a\nb", "$(x)"]
)
def test_an_address_that_could_be_misread_is_not_asked_for(address: str) -> None:
    with pytest.raises(TextError):
        verification.checked_addresses([address])


def test_plain_addresses_are_asked_for_as_they_are() -> None:
    assert verification.checked_addresses(["web1_user+x@example.test", "root"]) == (
        "web1_user+x@example.test",
        "root",
    )


@given(
    st.lists(st.sampled_from(["... ", "deliverable: mailer ", ", host ", ", user ", "\n", "x"])).map("".join)
)
def test_any_output_is_read(output: str) -> None:
    assert all(
        bool(verdict.error) or bool(verdict.mailer) or not verdict.user
        for verdict in verification.parse(output)
    )
