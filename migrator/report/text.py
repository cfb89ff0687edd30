"""Words for people: host text made harmless, durations, moments."""

from __future__ import annotations

import re
from datetime import datetime

# Control characters of both kinds, and those that turn the direction of writing: text from a host could use them
# to paint over what the operator reads.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    r"""Given text that may come from a host, return it on one line with every harmful character as \xNN."""
    return _HARMFUL.sub(_visible, text)


def clean_lines(text: str) -> list[str]:
    """Given text of several lines that may come from a host, return its lines, each made harmless."""
    return [clean(line.expandtabs()) for line in text.split("\n")] if text else []


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte that was not UTF-8
    return {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}.get(code) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    )


def duration(seconds: float) -> str:
    """Given seconds, return them as a person says them: "0.4 s", "1 min 05 s", "2 h 03 min", "2 d 00 h"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller:02} {name}"
    return f"{whole} s"


def moment(time: datetime) -> str:
    """Given an aware time, return it in the operator's zone, with its offset from UTC."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
