"""What every file of a host is, so that a test can say that nothing changed, or what did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.lab.lab import Lab

SCRIPT = Path(__file__).with_name("inside") / "snapshot.py"


def snapshot(lab: Lab, role: str) -> dict[str, str]:
    """Return path -> mode, owner, time and content of every file of a host, logs and runtime files aside."""
    found = json.loads(lab.python(role, SCRIPT))
    return {str(path): str(facts) for path, facts in found.items()}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return one line for each path that is new, gone or changed, in order of the paths."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            lines.append(f"new: {path}")
        elif path not in after:
            lines.append(f"gone: {path}")
        elif before[path] != after[path]:
            lines.append(f"changed: {path}: {before[path]} -> {after[path]}")
    return lines
