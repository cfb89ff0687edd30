"""A recipient of a queue is read as RFC 5322 says, whatever wrote it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail.addresses import bare, domain, is_local_form

WRITTEN = {
    "alice@example.test": ("alice@example.test", "example.test"),
    "<alice@Example.TEST.>": ("alice@Example.TEST.", "example.test"),
    '"Alice A" <alice@example.test>': ("alice@example.test", "example.test"),
    "Carol C <carol@example.test>": ("carol@example.test", "example.test"),
    "bob@example.test (Bob B)": ("bob@example.test", "example.test"),
    "(see x@else.test) bob@example.test": ("bob@example.test", "example.test"),
    '"x <y@else.test>" (a <b@c>) <bob@example.test> (d@e)': ("bob@example.test", "example.test"),
    '"a \\"quoted\\" name <" <bob@example.test>': ("bob@example.test", "example.test"),
    "<@one.test,@two.test:dave@example.test>": ("dave@example.test", "example.test"),
    "friends: erin@example.test": ("erin@example.test", "example.test"),
    "frank@example.test;": ("frank@example.test", "example.test"),
    "grace @ example.test": ("grace@example.test", "example.test"),
    '"odd@local"@example.test': ('"odd@local"@example.test', "example.test"),
    '"odd@local"': ('"odd@local"', ""),
    "user@[198.51.100.10]": ("user@[198.51.100.10]", "[198.51.100.10]"),
    "user@[IPv6:2001:db8::1]": ("user@[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]"),
    "user%example.test@localhost": ("user%example.test@localhost", "localhost"),
    "host!user": ("host!user", ""),
    "<alice@example.test": ("alice@example.test", "example.test"),
    "/C=x/S=y/@gateway.test": ("/C=x/S=y/@gateway.test", "gateway.test"),
    "\\user01": ("\\user01", ""),
    "user01": ("user01", ""),
    "<>": ("", ""),
    "": ("", ""),
    "((": ("", ""),
}
LOCAL_FORMS = (
    "|/bin/prog",
    '"|exec /usr/bin/procmail"',
    "\"|/bin/prog -f 'x@example.test' <in >out\"",
    "/home/user08/mbox",
    '"/home/user 08/my@box"',
    "/home/u@example.test/mbox",
    ":include:/etc/mail/a@b",
    '":include:/etc/mail/list"',
)


@pytest.mark.parametrize(("written", "expected"), WRITTEN.items())
def test_names_comments_and_routes_are_no_part_of_an_address(written: str, expected: tuple[str, str]) -> None:
    assert (bare(written), domain(bare(written))) == expected


@pytest.mark.parametrize("text", LOCAL_FORMS)
def test_a_program_a_file_and_a_list_have_no_domain_and_stay_as_they_are(text: str) -> None:
    assert is_local_form(text)
    assert (bare(text), domain(text)) == (text, "")


@given(st.lists(st.sampled_from([*'<>()[]"\\@:;,|/%! .\t', "a", "\n"]) | st.characters()).map("".join))
def test_any_text_is_read(text: str) -> None:
    address = bare(text)
    assert len(address) <= len(text)
    assert domain(address) == domain(address).lower()


@pytest.mark.parametrize("unit", ["(", "<", '"', "\\", "@", ":", "a@b (", "<a@b> "])
def test_a_long_text_takes_no_long_time(unit: str) -> None:
    began = time.process_time()
    domain(bare(unit * (200_000 // len(unit))))
    assert time.process_time() - began < 5
