"""Reads one recipient as Sendmail keeps it in a queue: what an alias, a list, a .forward or a client wrote.

RFC 5322, 3.4 says how an address is written (a display name before angle brackets, comments in parentheses, quoted
strings, and the obsolete routes of 4.4); aliases(5) says what else a recipient may be: a program (`|`), a file (`/`), a
list (`:include:`), and a user whose alias is not looked up again (`\\`). Written anew instead of with Python's email
package, as every text of any length has to be read, and in time that grows with it.
"""

from __future__ import annotations

import re

_INNER_BLANKS = re.compile(r"\s*([@.])\s*")


def bare(text: str) -> str:
    """Given a recipient as it was written, return the address alone; a program, a file or a list as it stands.

    Names, comments, routes, the name of a group and angle brackets are left out; "" is what `<>` stands for.
    """
    text = text.strip()
    if is_local_form(text):
        return text
    plain, angle = _without_comments(text)
    address = _last_part(plain if angle is None else angle)
    return _INNER_BLANKS.sub(r"\1", address) if '"' not in address else address


def domain(address: str) -> str:
    """Given an address that stands alone, return its domain in lower case without a last dot; "" for none."""
    if is_local_form(address):
        return ""
    place = -1
    for index, character in _unquoted(address):
        if character == "@":
            place = index
    return address[place + 1 :].strip().lower().rstrip(".") if place > 0 else ""


def is_local_form(text: str) -> bool:
    """Return whether a recipient is a program, a file or a list, quoted or not: no domain stands in such a one."""
    text = _unwrapped(text)
    if text.startswith(("|", "/")):
        return not _has_domain(text)
    return text.lower().startswith(":include:")


def _has_domain(text: str) -> bool:
    # A slash may begin a local part (X.400 in RFC 2156); what begins with `|` is a program, whatever its arguments are.
    return text.startswith("/") and re.fullmatch(r"/\S*@[A-Za-z0-9.\[\]:-]+", text) is not None


def _unwrapped(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].strip()
    if len(text) > 1 and text[0] == "<" and text[-1] == ">" and text[1:2] in ("|", "/", '"', ":"):
        return _unwrapped(text[1:-1])
    return text


def _without_comments(text: str) -> tuple[str, str | None]:
    """Return the text without its comments, and what stands in its last pair of angle brackets, None for none."""
    kept: list[str] = []
    start: int | None = None
    angle: str | None = None
    depth = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif quoted:
            quoted = character != '"'
        elif character == "(":
            depth += 1
            continue
        elif character == ")" and depth:
            depth -= 1
            continue
        elif depth:
            continue
        elif character == '"':
            quoted = True
        elif character == "<":
            kept.append(character)
            start = len(kept)
            continue
        elif character == ">" and start is not None:
            angle, start = "".join(kept[start:]), None
        if not depth:
            kept.append(character)
    if start is not None:  # nothing closes it
        angle = "".join(kept[start:])
    return "".join(kept).strip(), None if angle is None else angle.strip()


def _last_part(text: str) -> str:
    """Return what stands behind a route (`@a,@b:`) or the name of a group (`friends:`), without the group's end."""
    place = 0
    for index, character in _unquoted(text):
        if character == ":":
            place = index + 1
    return text[place:].strip().rstrip(";").strip()


def _unquoted(text: str) -> list[tuple[int, str]]:
    """Return the characters that stand in no quoted string and in no address literal, with their places."""
    found: list[tuple[int, str]] = []
    quoted = escaped = literal = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and not literal:
            quoted = not quoted
        elif quoted:
            continue
        elif character in "[]":
            literal = character == "["
        elif not literal:
            found.append((index, character))
    return found
