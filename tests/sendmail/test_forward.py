r"""A .forward says what was asked for, and a loop is seen before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import forward
from migrator.sendmail.text_error import TextError

HERE = frozenset({"example.test", "localhost"})


def test_each_address_stands_on_a_line_and_the_mailbox_comes_first() -> None:
    assert forward.text("user01", ["a@else.example", "user02"], keep=False) == "a@else.example\nuser02\n"
    assert forward.text("user01", ["a@else.example"] * 2, keep=True) == "\\user01\na@else.example\n"


@pytest.mark.parametrize(
    "address",
    [
        *("", "|/bin/sh", '"|/bin/sh"', "/etc/passwd", ":include:/x", "a b", "a,b", "a\nb", "-x", "\\user"),
        *("a@@b", "a@b..c", "a@-\x00", "$(id)@x", "`id`", "a@b@c", "ü@x.example"),
    ],
)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    with pytest.raises(TextError):
        forward.text("user01", [address], keep=False)


@pytest.mark.parametrize("user", ["", "-x", "a b", "../x", "a/b", "$(id)", "a\n"])
def test_what_is_no_name_of_an_account_is_refused(user: str) -> None:
    with pytest.raises(TextError):
        forward.checked_user(user)


def test_a_forward_without_an_address_is_refused() -> None:
    with pytest.raises(TextError):
        forward.text("user01", [], keep=True)


def test_a_file_is_read_as_the_seed_writes_it() -> None:
    content = "# since spring\n\\localuser, a@x.example, b@y.example,\nc@z.example\n"
    assert forward.targets(content) == ("\\localuser", "a@x.example", "b@y.example", "c@z.example")


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("user01", "user01"),
        ("User01@Example.TEST", "user01"),
        ("<user01@example.test.>", "user01"),
        ("user01+box@localhost", "user01"),
        ("\\user01", ""),
        ("user01@else.example", ""),
        ("|/usr/bin/vacation", ""),
        ('"|/usr/bin/vacation user01"', ""),
        ("/var/mail/copy", ""),
        (":include:/etc/list", ""),
        ("", ""),
    ],
)
def test_only_names_of_the_host_are_looked_up_again(address: str, user: str) -> None:
    assert forward.user_here(address, HERE) == user


def leading(ways: dict[str, str]) -> tuple[str, ...]:
    return forward.loop("a", lambda name: ways.get(name, "").split())


def test_a_way_back_is_shown_whole() -> None:
    assert leading({"a": "b", "b": "c x", "c": "a"}) == ("a", "b", "c", "a")
    assert leading({"a": "x b", "b": "c", "c": "b"}) == ("b", "c", "b")
    assert leading({"a": "a"}) == ("a", "a")


def test_two_ways_to_one_place_are_no_loop() -> None:
    assert leading({"a": "b c", "b": "d", "c": "d", "d": "e"}) == ()


def test_a_way_of_any_length_is_followed() -> None:
    def following(name: str) -> Iterator[str]:
        yield str(int(name) + 1) if int(name) < 50_000 else "49999"

    assert forward.loop("0", following) == ("49999", "50000", "49999")


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4)))
def test_a_loop_is_found_where_there_is_one(ways: dict[str, list[str]]) -> None:
    found = forward.loop("a", lambda name: ways.get(name, []))
    if found:
        assert found[0] == found[-1]
        assert all(after in ways[before] for before, after in pairwise(found))
        return
    reached, level = {"a"}, {"a"}
    for _ in range(7):
        level = {after for before in level for after in ways.get(before, [])}
        reached |= level
    assert not level  # without a loop every way ends


def test_the_files_are_those_of_forward_path_that_can_be_named_ahead() -> None:
    path = "$z/.forward.$w+$h:/var/forward/$u:$z/.forward.$w:$z/.forward:$z/$x"
    assert forward.expanded_path(path, home="/home/u1", user="u1", host="mail") == (
        "/var/forward/u1",
        "/home/u1/.forward.mail",
        "/home/u1/.forward",
    )
