"""rsync's exclude patterns, told to find: what a pass leaves out, a look must leave out as well."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_CLASSES = {
    "alnum": "[0-9A-Za-z]",
    "alpha": "[A-Za-z]",
    "digit": "[0-9]",
    "lower": "[a-z]",
    "punct": r"[!-/:-@\[-`{-~]",
    "upper": "[A-Z]",
    "xdigit": "[0-9A-Fa-f]",
}


class Untranslatable(ValueError):
    """A pattern that cannot be told to find exactly; a tree with one is compared by rsync alone."""


@dataclass(frozen=True, slots=True)
class Excludes:
    """What find matches against "./a/b": expressions for every kind of name, and for folders alone.

    They are POSIX extended regular expressions that must match the whole path; an excluded folder takes all below it.
    """

    every: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def words(self) -> str:
        """Return the words of find, as shell text, that leave out what is excluded; "" where nothing is."""
        tests = [f"-regex {shlex.quote(_any(self.every))}"] if self.every else []
        tests += [f"-type d -regex {shlex.quote(_any(self.folders))}"] if self.folders else []
        if not tests:
            return ""
        # The tree's own folder is never excluded, whatever a pattern like ** says of it.
        return rf"-regextype posix-extended ! -name . \( {' -o '.join(tests)} \) -prune -o"


def prune(patterns: Sequence[str]) -> str:
    """Given rsync's exclude patterns, return the words of find for them, as Excludes.words does.

    The transfer is one from "." of the tree. Raise Untranslatable where a pattern cannot be told exactly.
    """
    return translate(patterns).words()


def translate(patterns: Sequence[str]) -> Excludes:
    """Given rsync's exclude patterns (rsync(1), FILTER RULES), return what find matches for them.

    Raise Untranslatable where a pattern cannot be told exactly.
    """
    return _translated(tuple(patterns))


@lru_cache(maxsize=256)
def _translated(patterns: tuple[str, ...]) -> Excludes:
    # Thousands of trees of a plan exclude the same.
    every: list[str] = []
    folders: list[str] = []
    for pattern in patterns:
        _refuse_rules(pattern)
        name = pattern.removesuffix("/")
        (folders if pattern.endswith("/") else every).append(_path(name))
        if name.endswith("***"):
            folders.append(_folder_itself(name))
    return Excludes(tuple(every), tuple(folders))


def _refuse_rules(pattern: str) -> None:
    if not pattern.strip("/") or "//" in pattern or re.match(r"[-+] |!$", pattern):
        raise Untranslatable(f"no plain pattern: {pattern!r}")
    if re.search(r"[\x00-\x1f\x7f]", pattern):
        raise Untranslatable(f"a control character in {pattern!r}")


def _path(name: str) -> str:
    # Anchored: from the top. With ** in front: what it matches may begin with the slash before the path.
    if name.startswith("/"):
        return r"\./" + _glob(name[1:])
    if name.startswith("**"):
        return r"\." + _glob(name)
    return r"\./(.*/)?" + _glob(name)


def _folder_itself(name: str) -> str:
    # For a*** rsync reads a folder's path with a slash at its end, so dir/*** is the folder as well.
    before = name.rstrip("*")
    if not before.endswith("/"):
        return _path(name)
    if before == "/":
        return r"\./.*"
    return _path(before[:-1]) + "(/.*)?"


def _any(expressions: Sequence[str]) -> str:
    return "|".join(f"({expression})" for expression in expressions)


def _glob(pattern: str) -> str:
    """Return the expression for a pattern as wildmatch() of rsync reads it."""
    wild = re.search(r"[*?[]", pattern) is not None
    done, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "*":
            stars = len(pattern) - at - len(pattern[at:].lstrip("*"))
            done, at = done + ("[^/]*" if stars == 1 else ".*"), at + stars
        elif letter == "?":
            done, at = done + "[^/]", at + 1
        elif letter == "[":
            bracket, at = _bracket(pattern, at + 1)
            done += bracket
        elif letter == "\\" and wild:
            if pattern[at + 1 : at + 2] in ("", "/"):
                raise Untranslatable(f"a backslash before nothing in {pattern!r}")
            done, at = done + _literal(pattern[at + 1]), at + 2
        else:
            done, at = done + _literal(letter), at + 1
    return done


def _literal(letter: str) -> str:
    return f"\\{letter}" if letter in r".[]*^$+?{}()|" + "\\" else letter


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """Given a pattern and where a bracket's content begins, return its expression and where it ends."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    members, before, first = set[str](), "", True
    while first or pattern[at : at + 1] != "]":
        first = False
        if pattern.startswith("[:", at):
            letters, at = _class(pattern, at)
            members |= letters
            before = ""
        elif before and pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            last, at = _letter(pattern, at + 1)
            members |= {chr(code) for code in range(ord(before), ord(last) + 1)}
            before = ""
        else:
            before, at = _letter(pattern, at)
            members.add(before)
    members -= {"/"}
    if not (members or negated) or not all("\x1f" < letter < "\x7f" for letter in members):
        raise Untranslatable(f"a bracket of letters beyond ASCII, or of none, in {pattern!r}")
    return _set(members, negated=negated), at + 1


def _letter(pattern: str, at: int) -> tuple[str, int]:
    at += pattern[at : at + 1] == "\\"
    if at >= len(pattern):
        raise Untranslatable(f"a bracket without its end in {pattern!r}")
    return pattern[at], at + 1


def _class(pattern: str, at: int) -> tuple[set[str], int]:
    named = re.compile(r"\[:([a-z]+):\]").match(pattern, at)
    if named is None or named[1] not in _CLASSES:
        raise Untranslatable(f"an unknown class of letters in {pattern!r}")
    return {chr(code) for code in range(32, 127) if re.match(_CLASSES[named[1]], chr(code))}, named.end()


def _set(members: set[str], *, negated: bool) -> str:
    # Where each of these stands in a bracket of POSIX, it is a letter and nothing else.
    ordered = "".join(sorted(members - set("][^-")))
    ordered = "".join(letter for letter in "]" if letter in members) + ordered
    ordered += "".join(letter for letter in "[^-" if letter in members)
    if negated:
        return f"[^{ordered}/]" if "-" not in members else f"[^{ordered[:-1]}/-]"
    if ordered in ("^", "^-"):
        return r"\^" if ordered == "^" else "[-^]"
    return f"[{ordered}]"
