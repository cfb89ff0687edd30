"""Does to mailboxes what mail programs, people and administrators do to them. Given a seed, how often, and folders."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import struct
import sys
from collections.abc import Sequence
from typing import Literal

ODD = [
    "plain",
    "two words",
    "new\nline",
    "'quoted'",
    "back\\slash",
    "-leading",
    "caf\u00e9",
    "$(id)",
    "*star*",
    "\udcff",
]


class History:
    """Changes of random kinds in folders: names and contents are its own, so that nothing is written twice."""

    def __init__(self, seed: int, roots: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.roots = [os.fsencode(root) for root in roots]
        self.seed = seed
        self.count = 0

    def name(self) -> bytes:
        self.count += 1
        return os.fsencode(f"{self.random.choice(ODD)}.{self.seed}.{self.count}")

    def all(self, kind: str) -> list[bytes]:
        folder = self.random.choice(self.roots)
        found = [folder] if kind == "folders" else []
        for here, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name not in (b"bak", b"web")]
            names = folders if kind == "folders" else [name for name in files if not name.endswith(b".lock")]
            found += [os.path.join(here, name) for name in names]
        return sorted(name for name in found if not os.path.islink(name))

    def file(self) -> bytes:
        return self.random.choice(self.all("files") or [self.create()])

    def folder(self) -> bytes:
        return self.random.choice(self.all("folders"))

    def create(self) -> bytes:
        path = os.path.join(self.folder(), self.name())
        self.write(path, "xb")
        return path

    def write(self, path: bytes, mode: Literal["wb", "ab", "xb"]) -> None:
        with open(path, mode) as file:
            file.write(b"mail %d %d\n" % (self.seed, self.count) * self.random.randint(1, 40))

    def append(self) -> None:
        self.write(self.file(), "ab")

    def rename(self) -> None:
        os.rename(self.file(), os.path.join(self.folder(), self.name()))

    def delete(self) -> None:
        os.unlink(self.file())

    def replace(self) -> None:
        path = self.file()
        self.write(path + b"~", "wb")
        os.rename(path + b"~", path)

    def in_disguise(self) -> None:
        path = self.file()
        before = os.stat(path)
        if os.path.basename(os.path.dirname(path)) in (
            b"cur",
            b"new",
        ):  # a message is replaced, never written again
            with open(path + b"~", "wb") as file:
                file.write(bytes(self.random.randbytes(before.st_size)))
            os.rename(path + b"~", path)
        else:
            with open(path, "r+b") as file:
                file.write(bytes(self.random.randbytes(before.st_size)))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def shrink(self) -> None:
        path = self.file()
        if os.path.basename(os.path.dirname(path)) not in (b"cur", b"new"):
            os.truncate(path, os.path.getsize(path) // 2)

    def make_folder(self) -> None:
        os.mkdir(os.path.join(self.folder(), self.name()))

    def make_maildir(self) -> None:
        box = os.path.join(self.folder(), self.name())
        for part in (b"", b"/new", b"/cur", b"/tmp"):
            os.mkdir(box + part)
        self.write(box + b"/cur/1:2,S", "xb")

    def move_folder(self) -> None:
        moved, place = self.folder(), self.folder()
        if moved not in self.roots and not (place + b"/").startswith(moved + b"/"):
            # An overlay file system renames no folder of a lower layer.
            shutil.move(os.fsdecode(moved), os.fsdecode(os.path.join(place, self.name())))

    def link(self) -> None:
        os.link(self.file(), os.path.join(self.folder(), self.name()))

    def symlink(self) -> None:
        os.symlink(self.name(), os.path.join(self.folder(), self.name()))

    def change_mode(self) -> None:
        path = self.random.choice([self.folder(), os.path.join(self.folder(), self.name())])
        if not os.path.exists(path):
            self.write(path, "xb")
        os.chmod(path, self.random.choice([0o700, 0o755]) if os.path.isdir(path) else 0o640)

    def change_owner(self) -> None:
        path = self.create()
        os.chown(path, *self.somebody())

    def somebody(self) -> tuple[int, int]:
        account = pwd.getpwnam("user02")
        return account.pw_uid, account.pw_gid

    def attribute(self) -> None:
        path = self.create()
        os.setxattr(path, "user.note", b"%d" % self.count)
        entries = [
            (1, 6, 0xFFFFFFFF),
            (2, 4, self.somebody()[0]),
            (4, 4, 0xFFFFFFFF),
            (16, 4, 0xFFFFFFFF),
            (32, 0, 0xFFFFFFFF),
        ]
        packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
        os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)

    def sparse(self) -> None:
        path = self.create()
        with open(path, "r+b") as file:
            file.seek(1 << 20)
            file.write(b"end")

    KINDS = (
        *(
            create,
            create,
            append,
            append,
            rename,
            rename,
            rename,
            delete,
            delete,
            replace,
            in_disguise,
            shrink,
        ),
        *(
            make_folder,
            make_maildir,
            move_folder,
            link,
            symlink,
            change_mode,
            change_owner,
            attribute,
            sparse,
        ),
    )


def main(seed: str, times: str, *roots: str) -> None:
    history = History(int(seed), roots)
    for _ in range(int(times)):
        history.random.choice(history.KINDS)(history)


main(*sys.argv[1:])
