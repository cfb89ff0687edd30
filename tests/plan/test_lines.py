"""Every key is found on its line, however TOML lets it be written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan.lines import Lines

TEXT = '''\
# a comment with [table] and key = 1
top = 1
"quoted key" = "[not.a.table]"

[one]  # a comment
text = """
[two]
key = 1
"""
after_text = 1
literal = \'\'\'
it's # no comment
\'\'\'
list = [
  "a", # ] no end
  { deep = 1,  other = "x" },
  [ 1, 2 ],
]
after_list = "with \\" quote # and hash"
dotted.below . key = 2
[one.two]
[[three]]
first = """a"""""
[[three]]
first = 1979-05-27 07:32:00
[three.below]
second = 0.5
[five."a.b"]
\'x\' = {}
empty = []
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("top", 2),
        ("quoted key", 3),
        ("one", 5),
        ("one.text", 6),
        ("one.after_text", 10),
        ("one.literal", 11),
        ("one.list", 14),
        ("one.list[0]", 15),
        ("one.list[1].deep", 16),
        ("one.list[1].other", 16),
        ("one.list[2][1]", 17),
        ("one.after_list", 19),
        ("one.dotted.below.key", 20),
        ("one.two", 21),
        ("three", 22),
        ("three[0]", 22),
        ("three[0].first", 23),
        ("three[1]", 24),
        ("three[1].first", 25),
        ("three[1].below.second", 27),
        ("five.a.b.x", 29),
        ("five.a.b.empty", 30),
    ],
)
def test_a_key_is_on_its_line(key: str, line: int) -> None:
    tomllib.loads(TEXT)
    assert Lines(TEXT).of(key) == line


@pytest.mark.parametrize(
    ("key", "line"),
    [("one.absent", 5), ("three[1].absent", 24), ("absent", None), ("absent.key", None), ("", None)],
)
def test_what_is_absent_is_on_the_line_of_its_table(key: str, line: int | None) -> None:
    assert Lines(TEXT).of(key) == line


VALUES = st.recursive(
    st.sampled_from(["1", "true", '"a"', "'b'", '"""\n\n"""', "'''\n'\n'''", '"\\""', '"""a\\""""""', "1.5"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # x\n" + ",\n".join(items) + "\n]"),
        st.lists(inner.filter(lambda item: "\n" not in item), max_size=3).map(
            lambda items: "{" + ", ".join(f"k{number} = {item}" for number, item in enumerate(items)) + "}"
        ),
    ),
    max_leaves=8,
)


@given(VALUES, st.sampled_from(["", "[table]\n", "[[array]]\n"]))
def test_no_value_hides_the_key_after_it(value: str, header: str) -> None:
    before = f"{header}first = {value}\n"
    text = f"{before}second = 1\n"
    tomllib.loads(text)
    key = {"": "second", "[table]\n": "table.second", "[[array]]\n": "array[0].second"}[header]

    assert Lines(text).of(key) == before.count("\n") + 1
