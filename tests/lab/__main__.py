"""`python -m tests.lab`: starts a lab, says where it is, and removes it when Enter or Ctrl-C is pressed."""

from __future__ import annotations

import contextlib
import sys
import time

from tests.lab.lab import Lab

with contextlib.suppress(KeyboardInterrupt), Lab() as lab:
    sys.stdout.write(f"{lab.identity}: old {lab.place.old}, new {lab.place.new}, dns {lab.place.dns}\n")
    sys.stdout.write(f"its plan, key and known_hosts: {lab.plan_path}\nCtrl-C removes it\n")
    sys.stdout.flush()
    if sys.stdin.isatty():
        sys.stdin.readline()
    else:
        while True:
            time.sleep(3600)
