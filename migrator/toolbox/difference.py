"""The difference of two texts as a person reads it, for what no preview of a file shows."""

from __future__ import annotations

import difflib

from migrator import host_text


def difference(path: str, before: str | None, after: str | None) -> str:
    """Given a file's path and its texts (None: no file), return their unified difference, "" where they are equal."""
    old, new = (host_text.lines(text or "") for text in (before, after))
    names = ("/dev/null" if before is None else path, "/dev/null" if after is None else path)
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))
