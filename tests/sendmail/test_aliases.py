"""Aliases are read as newaliases reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import aliases
from migrator.sendmail.cf import parse as parse_cf

TABLE = """\
# roles
postmaster: root
Support:\tuser15, \\user16,
\tuser17@example.test
"odd, name": "|/usr/bin/prog a, b", /dev/null
list: :include:/etc/mail/list
POSTMASTER: second
no colon here
"""


def test_names_are_in_lower_case_and_the_first_line_of_a_name_counts() -> None:
    found = aliases.parse(TABLE)
    assert found["postmaster"] == ("root",)
    assert set(found) == {"postmaster", "support", "odd, name", "list"}


def test_a_line_goes_on_where_the_next_begins_with_a_blank() -> None:
    assert aliases.parse(TABLE)["support"] == ("user15", "\\user16", "user17@example.test")


def test_quotes_keep_commas_and_colons_from_counting() -> None:
    assert aliases.parse(TABLE)["odd, name"] == ('"|/usr/bin/prog a, b"', "/dev/null")
    assert aliases.parse(TABLE)["list"] == (":include:/etc/mail/list",)


@pytest.mark.parametrize(("text", "found"), [("", ()), (",, ,", ()), ('"a\\", b", c', ('"a\\", b"', "c"))])
def test_addresses_are_parted_by_commas(text: str, found: tuple[str, ...]) -> None:
    assert aliases.addresses(text) == found


def test_sources_of_aliases_are_named_with_or_without_a_type() -> None:
    value = "O AliasFile=hash:-T /etc/a, btree:/etc/b, /etc/c\n"
    assert aliases.files(parse_cf(value)) == ("/etc/a", "/etc/b", "/etc/c")
    assert aliases.files(parse_cf("")) == ("/etc/mail/aliases",)


@given(st.text(alphabet=st.sampled_from('ab:,"\\ \t\n\r#') | st.characters()))
def test_any_text_is_read(text: str) -> None:
    for name, targets in aliases.parse(text).items():
        assert name
        assert all(target == target.strip() and target for target in targets)
