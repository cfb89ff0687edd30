"""Reads the macro calls of an M4 text as GNU M4 would meet them, without expanding any.

The sources: Sendmail's cf/README ("A BRIEF INTRODUCTION TO M4") for `dnl` and quotes; cf/m4/cfhead.m4 for the
`changecom()` that makes `#` an ordinary character once cf.m4 is read: `#FEATURE(x)` further down is live.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from migrator.sendmail.text_error import TextError

_SECTION = re.compile(
    r"MAILER_DEFINITIONS|LOCAL_(CONFIG|RULE_[0-3]|RULESETS|NET_CONFIG|UUCP|DNSBL|(SRV|CLT)_FEATURES"
    r"|TRY_TLS|TLS_(RCPT|CLIENT|SERVER))"
)
_MACRO = re.compile(
    r"(un)?define|(push|pop)def|s?include|ifdef|ifelse|(un)?divert|errprint|m4wrap|changequote|changecom"
    r"|VERSIONID|OSTYPE|DOMAIN|FEATURE|HACK|MAILER|MODIFY_MAILER_FLAGS|(DAEMON|CLIENT)_OPTIONS"
    r"|(INPUT_)?MAIL_FILTER|QUEUE_GROUP|MASQUERADE_AS|(EXPOSED|LOCAL)_USER(_FILE)?|LOCAL_DOMAIN"
    r"|(MASQUERADE|CANONIFY|GENERICS|LDAPROUTE|VIRTUSER|RELAY)_(DOMAIN|EXCEPTION|EQUIVALENT)(_FILE)?"
    r"|TRUST_AUTH_MECH|SITECONFIG|SITE|UUCPSMTP"
)
_TOKEN = re.compile(r"[\n`#]|[A-Za-z_][A-Za-z0-9_]*")
_ARGUMENT_TOKEN = re.compile(r"[`#(),]|[ \t\n\r\f\v]+|[A-Za-z_][A-Za-z0-9_]*|[^`#(), \t\n\r\f\vA-Za-z_]+")
_QUOTE = re.compile(r"[`']")
_DISABLED = re.compile(r"dnl[ \t#]*([A-Za-z_][A-Za-z0-9_]*)(?=\()")


@dataclass(frozen=True, slots=True)
class Call:
    """One macro call: its arguments without their outer quotes, where it stands, and whether M4 acts on it.

    `start` and `end` are offsets in characters, `line` counts from 1. A call that is not `live` stands behind
    a `dnl` at the beginning of its line.
    """

    name: str
    arguments: tuple[str, ...]
    live: bool
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The calls of a text in their order, and the offsets of lines that begin outside quotes and calls."""

    calls: tuple[Call, ...]
    line_starts: tuple[int, ...]


def opens_section(name: str) -> bool:
    """Given a macro's name, return whether it opens a section of cf/m4/cfhead.m4 that ends an .mc file."""
    return _SECTION.fullmatch(name) is not None


def scan(text: str) -> Scan:
    """Given an M4 text, return the calls outside quotes, and the places where a line may be put in.

    A call inside the arguments of another (`ifdef`) depends on what only M4 knows and is not reported. Raise
    TextError for an open quote or argument list, and where the text changes M4's quotes or comments.
    """
    scanner = _Scanner(text, comments=True)
    scanner.run()
    if scanner.comments:
        # cf.m4 is not included, so it is read before this file, and comments are off from the beginning.
        scanner = _Scanner(text, comments=False)
        scanner.run()
    return Scan(tuple(scanner.calls), tuple(scanner.line_starts))


class _Scanner:
    """One pass over a text. `comments` says whether `#` still begins a comment."""

    def __init__(self, text: str, *, comments: bool) -> None:
        self.text = text
        self.comments = comments
        self.calls: list[Call] = []
        self.line_starts = [0]

    def run(self) -> None:
        position = 0
        while token := _TOKEN.search(self.text, position):
            position = self._token(token.group(), token.start(), token.end())

    def _token(self, word: str, start: int, end: int) -> int:
        if word == "\n":
            return self._line_start(end)
        if word == "`":
            return self._end_of_quote(start)
        if word == "#":
            return self._line_start(self._next_line(end)) if self.comments else end
        if word == "dnl":
            self._disabled_call(start)
            return self._line_start(self._next_line(end))
        if _MACRO.fullmatch(word) and self.text.startswith("(", end):
            return self._call(word, start, end)
        if opens_section(word):
            self._record(word, (), start, end)
        return end

    def _call(self, name: str, start: int, end: int) -> int:
        arguments, end = self._arguments(end)
        if name == "changequote" or (name == "changecom" and arguments != ("",)):
            raise self._error(start, f"{name} changes how the rest is to be read; edit this file by hand")
        included = name in ("include", "sinclude") and arguments[0].endswith("cf.m4")
        if included or name == "changecom":
            self.comments = False
        self._record(name, arguments, start, end)
        return end

    def _disabled_call(self, dnl: int) -> None:
        """Record the call behind a `dnl` that begins a line: it was switched off, or shows how to do it."""
        found = _DISABLED.match(self.text, dnl)
        if (
            not found
            or not _MACRO.fullmatch(found.group(1))
            or self.text[self.line_starts[-1] : dnl].strip(" \t")
        ):
            return
        line = _Scanner(self.text[: self._next_line(dnl)], comments=False)
        try:
            arguments, end = line._arguments(found.end(1))
        except TextError:
            return  # prose, or the first line of a longer call; M4 never sees it
        self._record(found.group(1), arguments, found.start(1), end, live=False)

    def _arguments(self, opening: int) -> tuple[tuple[str, ...], int]:
        """Return the arguments behind an opening parenthesis, and the offset after the closing one."""
        arguments: list[str] = []
        current, depth, position = "", 1, opening + 1
        fresh = True  # M4 drops unquoted blanks before an argument, and keeps those behind it
        while token := _ARGUMENT_TOKEN.match(self.text, position):
            kind = token.group()
            word, position = self._piece(kind, token.start(), token.end())
            depth += (kind == "(") - (kind == ")")
            if depth == 0:
                return (*arguments, current), position
            if kind == "," and depth == 1:
                arguments.append(current)
                current, fresh = "", True
            elif not (fresh and (kind.isspace() or kind == "dnl")):
                current, fresh = current + word, False
        raise self._error(opening, "an argument list is never closed")

    def _piece(self, kind: str, start: int, end: int) -> tuple[str, int]:
        """Return what a token in an argument list adds to its argument, and the offset after it."""
        if kind == "`":
            end = self._end_of_quote(start)
            return self.text[start + 1 : end - 1], end
        if kind == "dnl":
            return "", self._next_line(end)
        if kind == "#" and self.comments:
            end = self._next_line(end)
            return self.text[start:end], end
        return kind, end

    def _end_of_quote(self, opening: int) -> int:
        depth = 0
        for mark in _QUOTE.finditer(self.text, opening):
            depth += 1 if mark.group() == "`" else -1
            if depth == 0:
                return mark.end()
        raise self._error(opening, "a quote is never closed")

    def _next_line(self, position: int) -> int:
        newline = self.text.find("\n", position)
        return len(self.text) if newline < 0 else newline + 1

    def _line_start(self, position: int) -> int:
        if self.text[position - 1] == "\n":
            self.line_starts.append(position)
        return position

    def _record(
        self, name: str, arguments: tuple[str, ...], start: int, end: int, *, live: bool = True
    ) -> None:
        self.calls.append(Call(name, arguments, live, start, end, self._line(start)))

    def _line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def _error(self, position: int, reason: str) -> TextError:
        return TextError(f"line {self._line(position)} of the M4 file: {reason}")
