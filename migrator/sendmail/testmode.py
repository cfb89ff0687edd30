"""Asks Sendmail itself: its classes and macros in address test mode (`sendmail -bt`), its build (`sendmail
-d0.1`).

The commands are those of the Sendmail Installation and Operation Guide (chapter 2, "Address test mode"). Test
mode reads the files as they are now; what a daemon holds in memory may be older.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from migrator import host_text
from migrator.sendmail.text_error import TextError

_MARK = "====migrate===="
_SHOW_MARK = "${migrateMark}"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PROMPT = re.compile(r"(> )*")
_VERSION = re.compile(r"^Version (\S+)$", re.MULTILINE)
_COMPILED = re.compile(r"^ Compiled with:([^\n]*\n(?:[ \t]+[A-Z][^\n:]*\n)*)", re.MULTILINE)
_IDENTITY = re.compile(r"^ +\([a-z ]+\) \$([wjmk]) = (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answers:
    """What test mode said: the members of each class in lower case, each macro's value (None: not defined)."""

    classes: Mapping[str, frozenset[str]]
    macros: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Build:
    """A Sendmail binary: its version, what it was compiled with, and the names it takes its host to have.

    `macros` holds $w (short name), $j (canonical name), $m (domain) and $k (node name), where they were
    printed.
    """

    version: str
    options: frozenset[str]
    macros: Mapping[str, str] = field(default_factory=dict)


def questions(classes: Sequence[str] = (), macros: Sequence[str] = ()) -> str:
    """Given names of classes ("w", "VirtHost") and macros ("j"), return the standard input for `sendmail
    -bt`.

    A mark stands before and after each answer, so that one that is missing is seen. Raise TextError for a
    name that is none.
    """
    asked = [f"$={_braced(name)}" for name in classes] + [f"${_braced(name)}" for name in macros]
    marked = [f"{question}\n{_SHOW_MARK}\n" for question in asked]
    return f".D{{migrateMark}}{_MARK}\n{_SHOW_MARK}\n" + "".join(marked)


def answers(output: str, classes: Sequence[str] = (), macros: Sequence[str] = ()) -> Answers:
    """Given what `sendmail -bt` printed for these questions, return the answers.

    Raise TextError if one is missing.
    """
    parts: list[list[str]] = []
    for raw in output.split("\n"):
        line = raw[_prompt_length(raw) :].rstrip("\r")
        if line == _MARK:
            parts.append([])
        elif parts and line and not _is_echo(raw, line):
            parts[-1].append(line)
    if len(parts) != len(classes) + len(macros) + 1:
        raise TextError(f"sendmail -bt gave {max(len(parts) - 1, 0)} answers of {len(classes) + len(macros)}")
    members = {name: frozenset(map(str.lower, part)) for name, part in zip(classes, parts, strict=False)}
    values = {name: _value(part) for name, part in zip(macros, parts[len(classes) :], strict=False)}
    return Answers(members, values)


def parse_build(output: str) -> Build:
    """Given what `sendmail -d0.1 -bt` printed, return the build. Raise TextError if it has no version."""
    version = _VERSION.search(output)
    if not version:
        raise TextError("sendmail -d0.1 printed no version")
    compiled = _COMPILED.search(output)
    options = frozenset(host_text.words(compiled[1])) if compiled else frozenset()
    return Build(
        version[1], options, {name: host_text.stripped(value) for name, value in _IDENTITY.findall(output)}
    )


def _braced(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise TextError(f"{name!r} is no class or macro of Sendmail")
    return name if len(name) == 1 else f"{{{name}}}"


def _prompt_length(line: str) -> int:
    """Return the length of the prompts a line begins with: answers without a line end put several there."""
    found = _PROMPT.match(line)
    return found.end() if found else 0


def _is_echo(raw: str, line: str) -> bool:
    """Return whether a line repeats a question: Sendmail does so where standard input is no terminal."""
    return raw != line and line.startswith(("$", ".D{migrateMark}"))


def _value(lines: list[str]) -> str | None:
    return None if lines in ([], ["Undefined"]) else "\n".join(lines)
