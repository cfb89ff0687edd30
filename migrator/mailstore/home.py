"""Mail that the new host got after the cutover, on its way back: what of a tree is brought home, and how rsync is told.

Whatever rsync finds on the new host that the old one lacks or has otherwise is of one of three kinds. A message of a
Maildir is known by its unique name (maildir(5)): it is carried where no file of that name stands in the old host's
mail store, for a flag or a move to another folder changes the rest of the path. An mbox is joined with the old
host's message by message. Any other file is carried where there is none, and left as it is where there is one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from migrator.mailstore import arrivals
from migrator.mailstore.messages import is_mbox
from migrator.mailstore.rsync import STALL
from migrator.mailstore.spared import pattern, usual
from migrator.plan import SyncTree

AT_ONCE = 256 * 1024 * 1024
"""How many bytes of mailboxes are looked at, or stand on the old host twice, at one time (one mailbox may be more)."""

_LINE = re.compile(rb"([<>ch.])([fdL])(\S{9,}) (\d+) (.+)", re.DOTALL)
_ESCAPED = re.compile(rb"\\#([0-7]{3})")
_MESSAGE = re.compile(r"(?:(.*)/)?(?:new|cur)/([^/]+)", re.DOTALL)
_INDEX = re.compile(r"(?:^|/)dovecot(?:\.[a-z]+)?\.index(?:\.[^/]*)?$")
_KINDS: dict[bytes, Literal["file", "folder", "link"]] = {b"f": "file", b"d": "folder", b"L": "link"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What rsync would bring: a path in the tree, its size in bytes, whether the old host has nothing there."""

    path: str
    kind: Literal["file", "folder", "link"]
    size: int
    missing: bool

    @property
    def key(self) -> str:
        """Return by what a message of a Maildir is known: its mail store and its unique name. "": it is none."""
        found = _MESSAGE.fullmatch(self.path)
        if found is None or self.kind != "file":
            return ""
        store = found[1] or ""
        while store.rpartition("/")[2].startswith("."):  # a folder of Maildir++ stands in its mail store
            store = store.rpartition("/")[0]
        return f"{store}/{found[2].partition(':2,')[0]}"


@dataclass(frozen=True, slots=True)
class Homeless:
    """What is done about the differences of a tree: files that are carried, mailboxes to join, files left alone.

    `shown` are the carried ones that are no folders.
    """

    carried: tuple[str, ...]
    mailboxes: tuple[Entry, ...]
    left: tuple[str, ...]
    shown: tuple[str, ...]


def folder(name: str, index: int, state: str = arrivals.STATE) -> str:
    """Given a migration's name and a tree's number, return the folder of the old host for what is on its way."""
    return f"{arrivals.folder(name, state)}/home-{index}"


def listing_words(tree: SyncTree, spared: Sequence[str] = ()) -> tuple[str, ...]:
    """Return rsync's options for the rehearsal that lists what the new host's tree has otherwise.

    Contents are compared: a mailbox that grew on both hosts may have one size and one time. `spared` are the paths in
    the tree that belong to the hosts themselves.
    """
    own = [pattern(path) for path in dict.fromkeys((*usual(tree), *spared))]
    excluded = [f"--exclude={each}" for each in (*own, *tree.exclude)]
    words = ["rsync", "-aH", "--checksum", "--dry-run", f"--timeout={STALL}", "--out-format=%i %l %n"]
    return (*words, *excluded)


def carrying_words(home: str, *, basis: str = "") -> tuple[str, ...]:
    """Return rsync's options that carry the files listed in `home`.

    What is there stays as it is. With `basis`, a folder of the old host, they are copies that are made anew
    beside it, of which only what it lacks travels.
    """
    words = ["rsync", "-aHO", f"--timeout={STALL}", "--from0", f"--files-from={home}/list", "--stats"]
    return (*words, *(["--ignore-times", f"--copy-dest={basis}"] if basis else ["--ignore-existing"]))


def parse_listing(text: str) -> tuple[Entry, ...]:
    """Given what the listing printed, return files, folders and links that the old host lacks, or has otherwise.

    Lock files are left out: they are about the host they stand on. Raises ValueError for a path that leads out of
    the tree.
    """
    return tuple(entries(text.split("\n")))


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Given the lines of the listing, yield what parse_listing returns, one by one. Raises ValueError as it does."""
    for line in lines:
        yield from _entry(line)


def sort_out(entries: Iterable[Entry], known: Iterable[str], mailboxes: Iterable[str]) -> Homeless:
    """Given the listing, the keys that the old host knows, and which paths are mailboxes, return what is done.

    Dovecot's index files belong together, and to what they index: they come with a folder that comes whole, and into
    none that is there; Dovecot makes them anew (its manual, "Index files").
    """
    entries = tuple(entries)
    keys, boxes = frozenset(known), frozenset(mailboxes)
    coming = frozenset(entry.path for entry in entries if entry.kind == "folder")
    carried: list[Entry] = []
    joined: list[Entry] = []
    left: list[str] = []
    for entry in entries:
        if _is_index(entry, coming):
            continue
        if entry.path in boxes:
            joined.append(entry)
        elif not entry.missing:
            left.append(entry.path)
        elif not entry.key or entry.key not in keys:
            carried.append(entry)
    return Homeless(
        tuple(entry.path for entry in carried),
        tuple(joined),
        tuple(left),
        tuple(entry.path for entry in carried if entry.kind != "folder"),
    )


def batches(mailboxes: Sequence[Entry], limit: int = AT_ONCE) -> Iterator[tuple[Entry, ...]]:
    """Yield the mailboxes in groups of at most `limit` bytes, a larger one alone."""
    group: list[Entry] = []
    size = 0
    for entry in mailboxes:
        if group and size + entry.size > limit:
            yield tuple(group)
            group, size = [], 0
        group.append(entry)
        size += entry.size
    if group:
        yield tuple(group)


def candidates(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the files that may be mailboxes: those that are no message of a Maildir, and not empty."""
    return tuple(entry for entry in entries if entry.kind == "file" and not entry.key and entry.size)


def mailboxes_script(target: str, paths: Sequence[str]) -> str:
    """Given the new host's folder and paths in it, return the inspecting script that prints the numbers of mailboxes.

    What one is, `is_mbox` tells.
    """
    looks = "".join(f"look {number} {shlex.quote(path)}\n" for number, path in enumerate(paths))
    return (
        f"cd -- {shlex.quote(target)} || exit 1\nlook() {{\n"
        f'    if {is_mbox("./$2")}; then echo "$1"; fi\n}}\n'
        f"{looks}echo end\n"
    )


def keys_script(source: str, keys: Sequence[str]) -> str:
    """Given the old host's folder and keys of messages, return the inspecting script that prints those known there.

    Each is printed as its number.
    """
    asked = "".join(f"want {shlex.quote(key.replace(chr(10), chr(1)))}\n" for key in keys)
    return (
        f"cd -- {shlex.quote(source)} || exit 1\nwant() {{ printf '%s\\n' \"$1\"; }}\n"
        f"{{\n{asked}echo\n"
        "{ find . -type f \\( -path '*/new/*' -o -path '*/cur/*' \\) -printf '%P\\0' && printf '\\0'; } |\n"
        f"    tr '\\n\\000' '\\001\\n'\n}} | awk {shlex.quote(_KNOWN)}\n"
    )


def parse_numbers(text: str, count: int) -> tuple[int, ...]:
    """Given what either script printed, return the numbers, all below `count`.

    Raises ValueError where its end is missing, or where something else stands there.
    """
    *numbers, end = text.split("\n")[:-1] or [""]
    known = {str(number): number for number in range(count)}
    if end != "end" or not known.keys() >= set(numbers):
        raise ValueError("a list of numbers does not end with `end`, or holds something else")
    return tuple(known[number] for number in numbers)


def list_script(home: str, paths: Sequence[str], *, inside: str = "") -> str:
    """Return the script that writes the list of what is carried next, and makes the folder `inside` of `home` anew."""
    names = "".join(f"carry {shlex.quote(path)}\n" for path in paths)
    made = f"rm -rf {home}/{inside} && mkdir {home}/{inside} || exit 1\n" if inside else ""
    return (
        f"umask 077\nmkdir -p {home} || exit 1\n{made}carry() {{ printf '%s\\0' \"$1\" || exit 1; }}\n"
        f"{{\n{names}}} >{home}/list\n"
    )


# The same as Entry.key, for paths in which \001 stands for a newline.
_KNOWN = r"""
function key(path, name, cut) {
    if (!match(path, "(^|/)(new|cur)/[^/]+$")) return ""
    name = substr(path, RSTART)
    path = substr(path, 1, RSTART - 1)
    match(name, "[^/]+$")
    name = substr(name, RSTART)
    cut = index(name, ":2,")
    if (cut) name = substr(name, 1, cut - 1)
    while (match(path, "(^|/)[.][^/]*$")) path = substr(path, 1, RSTART - 1)
    return path "/" name
}
$0 == "" { part += 1; next }
part == 0 { number[$0] = count++; next }
{ found = key($0) }
found in number && !(found in told) { told[found]; print number[found] }
END { if (part == 2) print "end" }
"""


def _is_index(entry: Entry, coming: frozenset[str]) -> bool:
    """Return whether a file indexes what stands in another one, or in a folder that does not come as a whole."""
    folder = entry.path.rpartition("/")[0]
    beside_an_mbox = ".imap" in folder.split("/")
    return beside_an_mbox or (_INDEX.search(entry.path) is not None and folder not in coming)


def _entry(line: str) -> Iterator[Entry]:
    found = _LINE.fullmatch(line.encode("utf-8", "surrogateescape"))
    if found is None or (found[1] == b"." and found[2] == b"f"):
        return  # no difference in content
    path = _ESCAPED.sub(lambda code: bytes([int(code[1], 8) & 255]), found[5]).decode(
        "utf-8", "surrogateescape"
    )
    entry = Entry(path.rstrip("/"), _KINDS[found[2]], int(found[4]), missing=set(found[3]) == {ord("+")})
    if entry.path.startswith("/") or not entry.path or {"", ".."} & set(entry.path.split("/")):
        raise ValueError(f"rsync names a path outside of the tree: {path!r}")
    if entry.kind == "folder" and (entry.path == "." or not entry.missing):
        return
    if not entry.path.endswith(".lock"):
        yield replace(entry, size=entry.size if entry.kind == "file" else 0)
