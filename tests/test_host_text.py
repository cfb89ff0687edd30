"""What a host printed is parted as its own programs part it, and nowhere by Python's idea of a line or a blank."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import migrator
from migrator import host_text

ODD = ("\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r")
ROOT = Path(migrator.__file__).parent
ALLOWED = {
    "engine/chronicle.py": "the first line of a docstring of our own",
}
"""Where Python's own parting may stand, by file, and why: no text of a host, a plan or a stranger comes there."""


@pytest.mark.parametrize("mark", ODD)
def test_a_line_ends_at_a_line_feed_alone(mark: str) -> None:
    assert host_text.lines(f"a{mark}b\nc\n") == [f"a{mark}b", "c"]


@pytest.mark.parametrize(
    ("text", "lines"), [("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\n\nb", ["a", "", "b"])]
)
def test_the_last_line_may_lack_its_end(text: str, lines: list[str]) -> None:
    assert host_text.lines(text) == lines


@pytest.mark.parametrize("mark", ["\x85", "\xa0", "\u2028", "\u3000", "\x1c", "\x1f"])
def test_a_word_ends_at_an_ascii_blank_alone(mark: str) -> None:
    assert host_text.words(f" a{mark}b\tc\r\n\x0bd ") == [f"a{mark}b", "c", "d"]
    assert host_text.stripped(f"\n {mark}a{mark} \r\n") == f"{mark}a{mark}"


def test_no_module_parts_text_as_python_does() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in sorted(ROOT.rglob("*.py"))
        if file.relative_to(ROOT).as_posix() not in ALLOWED
        for line in _pythons_own(ast.parse(file.read_text("utf-8")))
    ]
    assert not found, "use host_text.lines or host_text.words: a name may hold U+0085 or U+00A0"


def test_what_is_allowed_is_needed() -> None:
    for name in ALLOWED:
        assert list(_pythons_own(ast.parse((ROOT / name).read_text("utf-8")))), f"{name} needs no exception"


@pytest.mark.parametrize(
    "text", ["x.splitlines()", "x.split()", "x.split(None, 1)", "map(str.splitlines, x)"]
)
def test_the_look_at_our_own_code_sees_each_kind(text: str) -> None:
    assert list(_pythons_own(ast.parse(text))) == [1]


def _pythons_own(tree: ast.Module) -> Iterator[int]:
    """Yield the lines at which a text is parted by what Python calls a line or a blank."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "splitlines":
            yield node.lineno
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split"
        ):
            first = node.args[0] if node.args else None
            pattern = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if not pattern and (first is None or (isinstance(first, ast.Constant) and first.value is None)):
                yield node.lineno
