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


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("team: user01,\\\nuser02\nroot: user03\n", {"team": ("user01", "user02"), "root": ("user03",)}),
        ("team: user01,\\\n\\\nuser02\n", {"team": ("user01", "user02")}),
        ("team: user01, us\\\ner02\n", {"team": ("user01", "user02")}),
        ("te\\\nam: user01\n", {"team": ("user01",)}),
        ("# note \\\nteam: user01\nroot: user03\n", {"root": ("user03",)}),
        ("team: user01,\\\n# user02\n", {"team": ("user01", "# user02")}),
        ("team: user01,\\\n  user02,\n\tuser03\n", {"team": ("user01", "user02", "user03")}),
        (
            "team: user01,\n  user02,\\\nroot: user03\n",
            {"team": ("user01", "user02", "root: user03")},
        ),
        ("team: user01,\n# gone\n  user02\nroot: user03\n", {"team": ("user01",), "root": ("user03",)}),
        ("team: user01,\n\n  user02\n", {"team": ("user01",)}),
        (" stray: user01\nroot: user03\n", {"root": ("user03",)}),
        ("team: user01\\", {"team": ("user01\\",)}),
        ("team: user01,\\\n", {"team": ("user01",)}),
        ("Team: user01\r\nroot: user03\r\n", {"team": ("user01",), "root": ("user03",)}),
        ("team: us\x85er01,\x0buser02\u2028\n", {"team": ("us\x85er01", "user02\u2028")}),
    ],
)
def test_lines_are_joined_as_sendmail_joins_them(table: str, found: dict[str, tuple[str, ...]]) -> None:
    assert aliases.parse(table) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("user01 (Alice, desk 2), user02", ("user01 (Alice, desk 2)", "user02")),
        ('"|/bin/prog a,b", \\user02', ('"|/bin/prog a,b"', "\\user02")),
        ("|/bin/prog a, user02", ("|/bin/prog a", "user02")),
        (":include:/etc/mail/list, /var/mail/all", (":include:/etc/mail/list", "/var/mail/all")),
        (
            "Alice <@relay.example,@x.example:a@b.example>, user02",
            ("Alice <@relay.example,@x.example:a@b.example>", "user02"),
        ),
        ('"Alice, A" <alice@example.test>, user02', ('"Alice, A" <alice@example.test>', "user02")),
        ("user01 (Alice, user02", ("user01 (Alice", "user02")),
        ("a\\,b, c", ("a\\,b", "c")),
    ],
)
def test_only_a_comma_between_addresses_parts_them(text: str, found: tuple[str, ...]) -> None:
    assert aliases.addresses(text) == found
