"""One message of a queue as its files hold it: its control file, its headers, and the size of its body."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator import host_text
from migrator.errors import UsageError
from migrator.hosts.base import Reader
from migrator.hosts.facts import HostFacts
from migrator.sendmail.queue import QueuedMessage
from migrator.toolbox import queues
from migrator.toolbox.queues import checked_number

_FIND = r"""number=$1
shift
for folder in "$@"; do
    case $folder in
        *'*') find "${folder%\*}"* -maxdepth 2 -type f -name "?f$number" -print0 2>/dev/null ;;
        *) find "$folder/" -maxdepth 2 -type f -name "?f$number" -print0 2>/dev/null ;;
    esac
done
"""


@dataclass(frozen=True, slots=True)
class Whole:
    """A message, the files it consists of with their sizes in bytes, and its headers as lines."""

    message: QueuedMessage
    files: Mapping[str, int]
    headers: tuple[str, ...]
    body: str


def show(reader: Reader, facts: HostFacts, number: str, *, body: bool = False) -> Whole:
    """Given the queue's number of a message, return what its files hold; the body only where it is wanted.

    Raises UsageError where no queue of the host has it, TextError for what is no number.
    """
    found = queues.read(reader, facts)
    folders = dict.fromkeys((*found.mta_cf.queue_directories, *found.client_cf.queue_directories))
    message = next((one for one in found.all if one.id == checked_number(number)), None)
    if message is None:
        raise UsageError(
            f"no queue of the {reader.name} host holds {number}",
            host=reader.name,
            seen=f"{len(found.all)} other messages",
            advice="it may have left: see `migrate queue list`, and what the log says of it",
        )
    listed = reader.inspect(shlex.join(("sh", "-c", _FIND, "sh", number, *folders))).stdout
    paths = [path for path in listed.split("\0") if path]
    texts = reader.read_files([path for path in paths if _letter(path) in "qhQ" or body])
    control = next((texts[path] or "" for path in paths if _letter(path) in "qhQ"), "")
    content = next((texts[path] or "" for path in paths if body and _letter(path) == "d"), "")
    return Whole(message, _sizes(reader, paths), headers(control), content)


def headers(control: str) -> tuple[str, ...]:
    """Given a control file, return its headers as lines: without the `H` and the flags that stand before a name."""
    found: list[str] = []
    for line in control.split("\n"):
        if line == ".":
            break
        if line[:1] == "H":
            flags = line.split("?", 2)
            found.append(flags[2] if line[1:2] == "?" and len(flags) == 3 else line[1:])
        elif line[:1] in (" ", "\t") and found:
            found.append(line)
    return tuple(found)


def _letter(path: str) -> str:
    return path.rpartition("/")[2][:1]


def _sizes(reader: Reader, paths: Sequence[str]) -> dict[str, int]:
    if not paths:
        return {}
    listed = host_text.words(reader.read("stat", "-c", "%s", *paths).stdout)
    return {path: int(size) for path, size in zip(paths, listed, strict=False) if size.isdecimal()}
