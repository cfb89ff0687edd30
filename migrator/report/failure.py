"""The block that every early end is told with: what, where, expected, seen, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.report.text import clean, clean_lines

HOSTS = {"old": "old host", "new": "new host", "operator": "this machine"}


def failure_block(title: str, rows: Sequence[tuple[str, str | None]]) -> str:
    """Given what happened and what is known of it, return it as lines, a row for everything that is known."""
    known = [(name, clean_lines(text.rstrip("\n"))) for name, text in rows if text and text.rstrip("\n")]
    width = max((len(name) for name, _ in known), default=0)
    lines = [clean(title)]
    for name, (first, *rest) in known:
        lines += [f"  {name:{width}}  {first}", *(f"  {'':{width}}  {line}" for line in rest)]
    return "\n".join(lines)
