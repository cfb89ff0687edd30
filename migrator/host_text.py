"""Lines and words of what a host printed, as the programs there part them: at a line feed, and at ASCII blanks.

Python's own `splitlines` and `split` also part at U+0085, U+2028, U+00A0, \\x0b, \\x0c, \\x1c to \\x1e and at a lone
carriage return, which stand in full names, file names and subjects: an account or a mailbox would be lost.
"""

from __future__ import annotations

import re

BLANKS = " \t\n\r\v\f"
"""What isspace(3) calls white space in the C locale, in which every script runs."""

_WORD = re.compile(rf"[^{BLANKS}]+")


def lines(text: str) -> list[str]:
    """Given a text, return its lines without their line feeds; the last one may lack it, and "" has none."""
    found = text.split("\n")
    return found[:-1] if found[-1] == "" else found


def words(text: str) -> list[str]:
    """Given a text, return what stands between blanks, line feeds among them."""
    return _WORD.findall(text)


def stripped(text: str) -> str:
    """Given a text, return it without the blanks at its ends."""
    return text.strip(BLANKS)
