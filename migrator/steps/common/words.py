"""Lists as a person reads them, however long they are."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 8
"""How many names of a list are shown."""


def some(names: Sequence[str], most: int = MOST) -> str:
    """Given names, return them as a person reads them: the first ones, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
