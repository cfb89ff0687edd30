"""A file system of its own for a mail host, as fresh as a new disk, and gone at once however much is in it.

On a file system where a million files were just removed, creating files takes several times as long: ext4 does not
give inodes again that were freed lately, and looks for others one by one.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE = 80_000_000_000
"""Bytes that it may grow to; the file is sparse."""

INODES = 6_000_000
PREFIX = "migrate-lab-disk-"


@contextmanager
def disk() -> Iterator[Path]:
    """Yield the folder of a new ext4 file system. Raise CalledProcessError where none can be made."""
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir="/var/tmp"))
    try:
        image = place / "image"
        with image.open("wb") as made:
            made.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-N", str(INODES), str(image)], check=True)
        # Without direct access everything would stand in memory twice; inode tables are not written beside a benchmark.
        argv = ["losetup", "--find", "--show", "--direct-io=on", str(image)]
        device = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        try:
            (place / "root").mkdir()
            subprocess.run(["mount", "-o", "noinit_itable", device, str(place / "root")], check=True)
        finally:
            # From now on both go with the last that uses them.
            subprocess.run(["losetup", "--detach", device], check=True)
            image.unlink()
        yield place / "root"
    finally:
        remove(place)


def remove(place: Path) -> None:
    """Take a disk away, given the folder that disk() made for it."""
    if (place / "root").is_mount():
        subprocess.run(["umount", "--lazy", str(place / "root")], check=True)
    (place / "image").unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        (place / "root").rmdir()
    place.rmdir()


def left() -> Iterator[tuple[str, Path]]:
    """Yield the folder of every disk that there is, and the number of the process that made it."""
    for place in Path("/var/tmp").glob(f"{PREFIX}*"):
        yield place.name.removeprefix(PREFIX).partition("-")[0], place
