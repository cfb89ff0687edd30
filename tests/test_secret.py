"""A secret shows nowhere but where it is asked for by name."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass

import pytest

from migrator.secret import MASK, Secret, masked

TEXT = "hunter2-hunter2"
SECRET = Secret(TEXT)


@dataclass
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>40}",
        f"{SECRET:x}",
        "%s %r" % (SECRET, SECRET),  # noqa: UP031 - the old way as well
        repr(Holder(SECRET)),
        repr([SECRET]),
        str(ValueError(SECRET)),
        repr(vars(Holder(SECRET))),
    ],
)
def test_no_representation_tells_it(shown: str) -> None:
    assert TEXT not in shown
    assert MASK in shown


def test_it_is_told_to_whom_asks_by_name() -> None:
    assert SECRET.reveal() == TEXT


def test_it_cannot_be_written_by_what_writes_objects() -> None:
    for write in (json.dumps, pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as raised:
            write(SECRET)
        assert TEXT not in str(raised.value)
    assert not hasattr(SECRET, "__dict__")


def test_equal_ones_are_equal_and_no_text_is() -> None:
    assert Secret("caf\udce9") == Secret("caf\udce9")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("LEXICON_CLOUDFLARE_USERNAME", True),
        ("API_TOKEN", True),
        ("DnsPassword", True),
        ("DNS_PASSWORD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("APIKEY", True),
        ("TSIG_KEY", True),
        ("HOME", False),
        ("KEYBOARD", False),
        ("COMPASS", False),
    ],
)
def test_values_of_variables_whose_names_tell_are_masked(name: str, hidden: bool) -> None:
    assert masked(f"refused: {TEXT}!", {name: TEXT}) == f"refused: {MASK if hidden else TEXT}!"


def test_a_value_that_holds_another_is_masked_whole_and_a_short_one_is_a_word() -> None:
    assert masked("abcdef-ghi abcdef", {"A_TOKEN": "abcdef", "B_TOKEN": "abcdef-ghi"}) == f"{MASK} {MASK}"
    assert masked("yes", {"USE_TOKEN": "yes"}) == "yes"
