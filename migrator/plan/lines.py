"""Where each key of a TOML text stands: dotted key -> line. tomllib tells values, and no places."""

from __future__ import annotations

import re
import tomllib

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_STRING = re.compile(
    r'''"""(?:\\.|[^\\])*?"""+|\'\'\'.*?\'\'\'+|"(?:\\.|[^"\\])*"|'[^']*\'''',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


class Lines:
    """The lines of all keys of one text."""

    def __init__(self, text: str) -> None:
        """Given a text that tomllib has read without complaint."""
        self._lines: dict[str, int] = {}
        _Scanner(text, self._lines).document()

    def holds(self, key: str) -> bool:
        """Return whether a dotted key is written in the plan."""
        return key in self._lines

    def of(self, key: str) -> int | None:
        """Given a dotted key such as `sync[1].from`, return its line, else that of the table that lacks it.

        None where that table is missing as well.
        """
        while key and key not in self._lines:
            key = key[: max(key.rfind("[" if key.endswith("]") else "."), 0)]
        return self._lines.get(key)


class _Scanner:
    def __init__(self, text: str, lines: dict[str, int]) -> None:
        self._text = text
        self._place = 0
        self._counted = 0  # up to here newlines are counted, so that the whole text is counted once
        self._line = 1
        self._lines = lines
        self._indexes: dict[str, int] = {}

    def document(self) -> None:
        table = ""
        while self._skip(_BLANK) < len(self._text):
            if self._text[self._place] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> str:
        line = self._current_line()
        is_array = self._text.startswith("[[", self._place)
        self._place += 2 if is_array else 1
        path = ""
        parts = self._key_parts()
        for number, part in enumerate(parts, 1):
            path = _join(path, part)
            if is_array and number == len(parts):
                self._indexes[path] = self._indexes.get(path, -1) + 1
            if path in self._indexes:
                self._lines.setdefault(path, line)
                path = f"{path}[{self._indexes[path]}]"
        self._place += 2 if is_array else 1
        self._lines[path] = line
        return path

    def _pair(self, table: str) -> None:
        line = self._current_line()
        path = table
        for part in self._key_parts():
            path = _join(path, part)
            self._lines.setdefault(path, line)
        self._place += 1  # the sign of equality
        self._value(path)

    def _key_parts(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            token = self._take(_KEY)
            parts.append(_unquoted(token) if token[:1] in ('"', "'") else token)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._place):
                return parts
            self._place += 1

    def _value(self, path: str) -> None:
        self._skip(_SPACE)
        match self._text[self._place]:
            case "[":
                self._elements(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _elements(self, path: str) -> None:
        self._place += 1
        index = 0
        while self._text[self._skip(_BLANK)] != "]":
            element = f"{path}[{index}]"
            self._lines[element] = self._current_line()
            self._value(element)
            index += 1
            self._comma()
        self._place += 1

    def _inline_table(self, path: str) -> None:
        self._place += 1
        while self._text[self._skip(_BLANK)] != "}":
            self._pair(path)
            self._comma()
        self._place += 1

    def _comma(self) -> None:
        if self._text[self._skip(_BLANK)] == ",":
            self._place += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._place)
        if found is None:
            raise ValueError(f"line {self._current_line()} is not TOML")
        self._place = found.end()
        return found[0]

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._take(pattern)
        return self._place

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._place)
        self._counted = self._place
        return self._line


def _join(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part


def _unquoted(token: str) -> str:
    return str(tomllib.loads(f"key = {token}")["key"])
