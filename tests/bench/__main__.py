"""`make bench`: what the program costs beside the recipe, written into docs/performance.md."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

from tests.bench.domains import COUNT as DOMAINS
from tests.bench.domains import domains
from tests.bench.measuring import FILES, STORES, USERS, Figures, predictions, start_up, stores
from tests.bench.table import page
from tests.bench.trees import COUNT as TREES
from tests.bench.trees import trees
from tests.bench.young import FILES as YOUNG
from tests.bench.young import young
from tests.lab.lab import PROJECT, Lab

NEEDED = 25e9
"""Bytes that three copies of the whole store take, with room to spare."""


def say(text: str) -> None:
    """Write a line at once, with the time."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def versions() -> dict[str, str]:
    """Return what the hosts of the lab run."""
    with Lab(seed=1) as lab:
        told = lab.shell("new", "rsync --version | head -n 1; ssh -V 2>&1")
    rsync, openssh = told.splitlines()[:2]
    found = re.search(r"version (\S+)", rsync)
    return {
        "rsync": f"rsync {found[1] if found else 'unknown'}",
        "openssh": openssh.split()[0].replace("_", " "),
    }


def main() -> int:
    """Measure and write the page; a part is only told on the terminal. Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help=f"share of {FILES} messages (default: 1)")
    parser.add_argument(
        "--only",
        choices=("start-up", "predictions", "young", "trees", "domains", *STORES),
        help="measure one part, and write no page",
    )
    parser.add_argument("-o", "--output", type=Path, default=PROJECT / "docs" / "performance.md")
    arguments = parser.parse_args()
    files = max(1000, int(FILES * arguments.scale))
    disk = os.statvfs("/var/lib/docker" if Path("/var/lib/docker").exists() else "/")
    if disk.f_bavail * disk.f_frsize < NEEDED * arguments.scale:
        say("there is not enough room on the disk: see SCALE in the Makefile")
        return 1
    programs = versions()

    def written(figures: Figures) -> None:
        text = page(figures, files=files, users=max(20, USERS * files // FILES), **programs)
        arguments.output.write_text(text)

    figures = Figures(say=say) if arguments.only else Figures(say=say, keep=written)
    began = time.monotonic()
    if arguments.only in (None, "start-up"):
        start_up(figures)
    if arguments.only in (None, "predictions"):
        predictions(figures)
    if arguments.only in (None, "young"):
        young(figures, max(1000, int(YOUNG * arguments.scale)))
    if arguments.only in (None, "trees"):
        trees(figures, max(20, int(TREES * arguments.scale)))
    if arguments.only in (None, "domains"):
        domains(figures, max(20, int(DOMAINS * arguments.scale)))
    if arguments.only is None or arguments.only in STORES:
        stores(figures, files, [arguments.only] if arguments.only else list(STORES))
    say(f"measured in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
