"""`init`: a plan to fill in, or one filled in from what both hosts say."""

from __future__ import annotations

from pathlib import Path

from migrator.plan.template import write_template


def write_plan(path: Path, *, old: str, new: str) -> list[str]:  # noqa: ARG001
    """Given where the plan goes, and how ssh reaches both hosts, write it and return the keys filled in.

    Raises UsageError where something is there already.
    """
    write_template(path)
    return []
