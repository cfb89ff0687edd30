"""Tables are read as makemap reads them, and an edit keeps every other line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import maps
from migrator.sendmail.maps import Entry
from migrator.sendmail.text_error import TextError

ACCESS = """\
# access: what may connect
Connect:127.0.0.1 \t RELAY

To:Example.TEST\t\tRELAY
 leading blank
spam.example\tERROR:5.7.1:"550 no thanks"
"""
keys = st.text(alphabet=st.sampled_from("aAbB:.@#+\u00e9"), min_size=1, max_size=4)
values = st.text(alphabet=st.sampled_from("ab:[]. \t\u00e9"), max_size=6)
tables = st.lists(
    st.one_of(
        st.tuples(keys, st.sampled_from([" ", "\t", " \t "]), values).map("".join),
        st.sampled_from(["", "# comment", " x y", "a", "a\tb\r"]),
        st.text(max_size=5),
    )
).map("\n".join)


def test_comments_blank_lines_and_what_makemap_refuses_are_no_entries() -> None:
    assert [entry.key for entry in maps.parse(ACCESS)] == [
        "Connect:127.0.0.1",
        "To:Example.TEST",
        "spam.example",
    ]


def test_a_key_is_found_in_any_case_and_the_first_one_counts() -> None:
    assert maps.lookup("A.test\tone\na.TEST\ttwo\n", "a.Test") == "one"
    assert maps.lookup(ACCESS, "connect:127.0.0.1") == "RELAY"
    assert maps.lookup(ACCESS, "leading") is None


def test_a_line_that_says_so_already_stays_as_it_is_written() -> None:
    assert maps.set_entry(ACCESS, "to:example.test", "RELAY") == ACCESS


def test_another_value_replaces_the_first_line_of_the_key_and_drops_the_others() -> None:
    assert maps.set_entry("a x\n#\nA y\n", "a", "z") == "a\tz\n#\n"


def test_a_new_key_comes_last_in_the_manner_of_the_file() -> None:
    assert maps.set_entry("a x", "b", "y") == "a x\nb\ty\n"
    assert maps.set_entry("a x\r\n", "b", "y") == "a x\r\nb\ty\r\n"
    assert maps.set_entry("", "b", "y") == "b\ty\n"


def test_only_a_line_feed_ends_a_line() -> None:
    assert maps.parse("a x\x0bb\u2028c d\n") == (Entry("a", "x\x0bb\u2028c d"),)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("#a", "x"),
        ("a", "x\ny"),
        ("a", " x"),
        ("a", "x\t"),
        ("a\nb", "x"),
        ("a", "x\0"),
    ],
)
def test_what_a_table_would_not_give_back_is_refused(key: str, value: str) -> None:
    with pytest.raises(TextError):
        maps.set_entry(ACCESS, key, value)


@given(tables, keys, values)
def test_an_edit_twice_is_an_edit_once_and_is_read_back(table: str, key: str, value: str) -> None:
    try:
        edited = maps.set_entry(table, key, value)
    except TextError:
        return
    assert maps.set_entry(edited, key, value) == edited
    assert maps.lookup(edited, key) == value


@given(tables, keys, values)
def test_an_edit_keeps_all_other_lines_and_its_removal_leaves_them(table: str, key: str, value: str) -> None:
    others = maps.lines(maps.remove_entry(table, key))
    try:
        edited = maps.set_entry(table, key, value)
    except TextError:
        return
    left = maps.remove_entry(edited, key)
    assert maps.lookup(left, key) is None
    assert [line.rstrip("\r\n") for line in maps.lines(left)] == [line.rstrip("\r\n") for line in others]
    assert left.rstrip("\r\n") == maps.remove_entry(table, key).rstrip("\r\n")


def test_many_entries_at_once_are_what_one_after_another_makes() -> None:
    text = "# x\nOne.test\tesmtp:[1]\r\ntwo.test esmtp:[1]\none.test\tagain\n"
    entries = [maps.Entry(f"{name}.test", "esmtp:[2]") for name in ("one", "three", "two", "three")]
    by_one = text
    for entry in entries:
        by_one = maps.set_entry(by_one, entry.key, entry.value)
    assert maps.set_entries(text, entries) == by_one


def test_thousands_of_entries_take_as_long_as_their_number() -> None:
    entries = [maps.Entry(f"d{number}.test", "esmtp:[192.0.2.1]") for number in range(5000)]
    began = time.process_time()
    text = maps.set_entries("", entries)
    again = maps.set_entries(text, entries)
    assert again == text
    assert text.count("\n") == 5000
    assert time.process_time() - began < 2  # one after another: minutes
