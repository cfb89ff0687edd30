"""Making file systems small: on a host of the lab, and around the operator's state."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.lab import Lab

ROOMY = "size=256m,nr_inodes=200000"

FILLER = "filler"
OVER = """
set -e
cp -a {path} /root/kept
mount -t tmpfs -o {options} tmpfs {path}
chmod --reference=/root/kept {path}
cp -a /root/kept/. {path}/
rm -rf /root/kept
"""
USED = "df --output=used -k {path} | tail -n 1; df --output=iused {path} | tail -n 1"
DAEMONS = (
    "service apache2 status >/dev/null && service apache2 restart; pkill -x rsyslogd; sleep 0.5; rsyslogd; "
)


def put_on_its_own(lab: Lab, role: str, path: str, options: str = ROOMY) -> None:
    """Give a folder of a host a small file system of its own, with all that stands in it."""
    lab.shell(role, OVER.format(path=path, options=options))


def put_var_on_its_own(lab: Lab, role: str) -> None:
    """Give /var of a host a small file system of its own, and start the daemons anew that have files open there."""
    lab.shell(role, f"service sendmail stop >/dev/null 2>&1; {OVER.format(path='/var', options=ROOMY)}")
    lab.shell(role, f"{DAEMONS} service sendmail start >/dev/null 2>&1")
    lab.wait_until_ready()


def used(lab: Lab, role: str, path: str) -> tuple[int, int]:
    """Return how much of a file system is in use: units of 1024 bytes, and inodes."""
    blocks, inodes = lab.shell(role, USED.format(path=path)).split()
    return int(blocks), int(inodes)


def leave(lab: Lab, role: str, path: str, *, kilobytes: int = 0, inodes: int | None = None) -> None:
    """Leave so much room in a file system of a host that stands on its own: in bytes or, if given, in inodes."""
    blocks, files = used(lab, role, path)
    room = f"size={blocks + kilobytes}k" if inodes is None else f"nr_inodes={files + inodes}"
    lab.shell(role, f"mount -o remount,{room} {path}")


def fill_up(lab: Lab, role: str, path: str) -> None:
    """Leave nothing in a file system of a host that stands on its own, while others go on writing there."""
    leave(lab, role, path, kilobytes=1024)
    lab.shell(role, f"dd if=/dev/zero of={path}/{FILLER} bs=4k 2>/dev/null || test -s {path}/{FILLER}")


def make_room(lab: Lab, role: str, path: str) -> None:
    """Make a file system of a host large again."""
    lab.shell(role, f"rm -f {path}/{FILLER}; mount -o remount,{ROOMY} {path}")


@contextmanager
def small_folder(path: Path, kilobytes: int) -> Iterator[None]:
    """Give a folder of this machine a file system of so many units of 1024 bytes. It takes root to mount one."""
    path.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tmpfs", str(path)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def resize(path: Path, kilobytes: int) -> None:
    """Give a folder that `small_folder` made another size."""
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(path)], check=True)
