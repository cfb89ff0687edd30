"""The program answers before anybody wonders whether it runs."""

from __future__ import annotations

import subprocess
import sys
import time

LONGEST = 0.25  # seconds


def test_help_is_there_in_a_quarter_of_a_second() -> None:
    took = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "migrator", "--help"], check=True, capture_output=True)
        took.append(time.monotonic() - began)
    assert min(took) < LONGEST
