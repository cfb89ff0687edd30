"""Trees that live as mail stores do, a model of rsync that copies exactly what it is told, and a full comparison."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

NAMES = (
    *("a", "b c", "line\nbreak", "-rf", "q'\"", "back\\slash", "\udcff\udcfe", "$(id)", "a|b", "end"),
    *("* ?[x]", "new", "cur", "tmp", "#1", "; x", "e f", "D .", " "),
)

INTO_ITSELF, NOT_EMPTY = 22, 39
"""What the system says (errno) of a folder that would go below itself, and of one that stands in the way."""


def walk(root: Path, below: str = "") -> Iterator[str]:
    """Yield every path below the root, relative to it, a folder before what is in it."""
    for entry in sorted((root / below).iterdir()):
        path = f"{below}/{entry.name}" if below else entry.name
        yield path
        if is_folder(entry):
            yield from walk(root, path)


def is_folder(path: Path) -> bool:
    """Return whether a folder stands there, and no symbolic link to one."""
    return path.is_dir() and not path.is_symlink()


def is_message(path: Path) -> bool:
    """Return whether a file of this path is one of a Maildir's messages."""
    siblings = all(is_folder(path.parent.parent / name) for name in ("cur", "new", "tmp"))
    return path.parent.name in ("cur", "new") and siblings


def told(root: Path) -> dict[str, tuple[object, ...]]:
    """Return all that a copy has to keep of every path: kind, mode, time, content, and which names are one file."""
    paths = ["", *walk(root)]
    inodes: dict[int, list[str]] = {}
    for path in paths:
        inodes.setdefault((root / path).lstat().st_ino, []).append(path)
    return {path: (*_facts(root / path), inodes[(root / path).lstat().st_ino]) for path in paths}


def _facts(path: Path) -> tuple[int, int, int, bytes | str]:
    seen = path.lstat()
    content: bytes | str = b""
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        content = path.read_bytes()
    return stat.S_IFMT(seen.st_mode), stat.S_IMODE(seen.st_mode), seen.st_mtime_ns, content


def copy(old: Path, new: Path, names: list[str]) -> None:
    """Do what `rsync -aH --ignore-times --force --files-from` does: these names, and the folders above them."""
    present = sorted({path for name in names if _stands(old, name) for path in _with_parents(name)})
    links: dict[int, Path] = {}
    for path in present:
        source, target = old / path, new / path
        if is_folder(source):
            if not is_folder(target):
                remove(target)
                target.mkdir()
            continue
        remove(target)
        known = links.setdefault(source.lstat().st_ino, target)
        if known != target:
            os.link(known, target, follow_symlinks=False)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
    for path in reversed(present):
        if is_folder(old / path):
            shutil.copystat(old / path, new / path)


def _stands(root: Path, name: str) -> bool:
    # What is reached by a symbolic link is no name of the tree: it went away since it was listed.
    above = list(_with_parents(name))[1:]
    return os.path.lexists(root / name) and all(is_folder(root / path) for path in above)


def _with_parents(name: str) -> Iterator[str]:
    path = PurePosixPath(name)
    yield "" if name == "." else name
    yield from (str(parent).removeprefix(".") for parent in path.parents)


def remove(path: Path) -> None:
    """Remove what is there, whatever it is, if anything."""
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Store:
    """A tree and what happens to it. Each act is given two numbers that choose what it is done to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0
        for box in ("u1/Maildir", "u2/Maildir/.Sent", "new/Maildir"):
            self._maildir(root / box)
        (root / "u3/cur").mkdir(parents=True)
        for path in (
            "mbox",
            "u3/cur/plain",
            "u1/Maildir/cur/1:2,S",
            "u1/Maildir/cur/2:2,",
            "new/Maildir/new/3",
        ):
            self._write(root / path)

    def act(self, name: str, first: int, second: int) -> None:
        """Do one of ACTS, where there is something to do it to; nothing happens otherwise."""
        self.count += 1
        try:
            ACTS[name](self, first, second)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            return
        except OSError as error:
            if error.errno not in (INTO_ITSELF, NOT_EMPTY):
                raise

    def _write(self, path: Path, mode: str = "wb") -> None:
        with path.open(mode) as stream:
            stream.write(b"%06d\n" % self.count)

    def _maildir(self, path: Path) -> None:
        for name in ("cur", "new", "tmp"):
            (path / name).mkdir(parents=True, exist_ok=True)

    def _paths(self) -> list[Path]:
        return [self.root / path for path in walk(self.root)]

    def _folder(self, number: int) -> Path:
        folders = [self.root, *filter(is_folder, self._paths())]
        return folders[number % len(folders)]

    def _below(self, number: int) -> Path:
        folders = list(filter(is_folder, self._paths()))
        return _chosen(folders, number)

    def _file(self, number: int, *, messages: tuple[bool, ...] = (False, True)) -> Path:
        files = [path for path in self._paths() if not is_folder(path) and is_message(path) in messages]
        return _chosen(files, number)

    def _mailbox(self, number: int) -> Path:
        """Choose a plain file that is no message: it may change in place."""
        found = self._file(number, messages=(False,))
        if not stat.S_ISREG(found.lstat().st_mode) or (
            found.lstat().st_nlink > 1 and self._has_message(found)
        ):
            raise FileExistsError
        return found

    def _has_message(self, file: Path) -> bool:
        # A message of several names that is written to is none: no program does it.
        inode = file.lstat().st_ino
        return any(is_message(path) for path in self._paths() if path.lstat().st_ino == inode)

    def _place(self, folder: int, name: int) -> Path:
        return self._folder(folder) / NAMES[name % len(NAMES)]

    def deliver(self, first: int, second: int) -> None:
        box = _chosen(
            [path for path in self._paths() if path.name == "new" and is_message(path / "x")], first
        )
        waiting = box.parent / "tmp/waiting"
        self._write(waiting)
        waiting.rename(box / f"{self.count}.{NAMES[second % len(NAMES)]}")

    def read(self, first: int, second: int) -> None:
        message = self._file(first, messages=(True,))
        name = message.name.partition(":2,")[0] + ":2," + ("", "S", "RS")[second % 3]
        message.rename(message.parent.parent / "cur" / name)

    def create(self, first: int, second: int) -> None:
        self._write(self._place(first, second), "xb")

    def append(self, first: int, second: int) -> None:
        self._write(self._mailbox(first), "ab")

    def rewrite(self, first: int, second: int) -> None:
        path = self._mailbox(first)
        seen = path.lstat()
        with path.open("r+b") as stream:
            stream.write((b"%06d\n" % self.count)[: seen.st_size])
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    def replace(self, first: int, second: int) -> None:
        path = self._file(first)
        seen, before = path.lstat(), path.parent.stat()
        coming = path.parent / ".replacing"
        self._write(coming)
        os.utime(coming, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        coming.rename(path)
        os.utime(path.parent, ns=(before.st_atime_ns, before.st_mtime_ns))

    def delete(self, first: int, second: int) -> None:
        self._file(first).unlink()

    def change_mode(self, first: int, second: int) -> None:
        path = self._folder(first) if second % 2 else self._mailbox(first)
        path.chmod((0o700, 0o755, 0o750, 0o711)[second % 4])

    def make_folder(self, first: int, second: int) -> None:
        self._place(first, second).mkdir()

    def make_maildir(self, first: int, second: int) -> None:
        self._maildir(self._place(first, second))

    def move(self, first: int, second: int) -> None:
        self._below(first).rename(self._place(second, first + second))

    def swap(self, first: int, second: int) -> None:
        one, other = self._below(first), self._below(second)
        if not one.is_relative_to(other) and not other.is_relative_to(one):
            one.rename(self.root / "swapping")
            other.rename(one)
            (self.root / "swapping").rename(other)

    def move_file(self, first: int, second: int) -> None:
        self._file(first).rename(self._place(second, first))

    def recreate(self, first: int, second: int) -> None:
        folder = self._below(first)
        shutil.rmtree(folder)
        folder.mkdir()
        self._write(folder / NAMES[second % len(NAMES)])

    def drop_folder(self, first: int, second: int) -> None:
        shutil.rmtree(self._below(first))

    def link(self, first: int, second: int) -> None:
        os.link(self._file(first), self._place(second, first + second), follow_symlinks=False)

    def symlink(self, first: int, second: int) -> None:
        target = ("nowhere", f"../{self._folder(first).name}", ".")[second % 3]
        self._place(second, first).symlink_to(target)

    def lead_astray(self, first: int, second: int) -> None:
        folder = self._below(first)
        moved = folder.with_name(f"moved{self.count}")
        folder.rename(moved)
        folder.symlink_to(moved.name)

    def turn(self, first: int, second: int) -> None:
        path = self._file(first) if second % 2 else self._below(first)
        folder = is_folder(path)
        remove(path)
        if folder:
            self._write(path)
        else:
            path.mkdir()


def _chosen(paths: list[Path], number: int) -> Path:
    if not paths:
        raise FileExistsError
    return paths[number % len(paths)]


ACTS: dict[str, Callable[[Store, int, int], None]] = {
    name: act for name, act in vars(Store).items() if not name.startswith("_") and name != "act"
}
