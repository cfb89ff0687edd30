"""A dated copy of Sendmail's files: one tar with a list of digests in it, made on the host, read here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from migrator import host_text
from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.sendmail.text_error import TextError

FOLDER = "/var/backups/migrate"
DIGESTS = "SHA256SUMS"

_NAME = re.compile(r"sendmail-[0-9]{8}T[0-9]{6}Z\.tar")
_USUAL = re.compile(r"/etc/mail/.+|/etc/aliases(\.db)?", re.DOTALL)
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")

_MAKE = r"""set -e
umask 077
folder={folder}
mkdir -p "$folder"
work=$(mktemp -d "$folder/.making.XXXXXXXXXX")
trap 'rm -rf "$work"' EXIT
for file in {files}; do
    if [ -f "$file" ]; then readlink -f -- "$file"; fi
done | sed 's|^/||' | sort -u >"$work/names"
cd /
while IFS= read -r name; do sha256sum -- "$name"; done <"$work/names" >"$work/{digests}"
tar -cf "$work/made.tar" -C "$work" {digests} -C / --verbatim-files-from -T "$work/names"
mv "$work/made.tar" {target}
"""

_PLACES = r"""for file in {files}; do
    if [ -f "$file" ]; then readlink -f -- "$file"; fi
done
"""

_SUMS = r"""for file in {files}; do
    if [ -f "$file" ]; then readlink -f -- "$file"; fi
done | sed 's|^/||' | sort -u | {{ cd /; while IFS= read -r name; do sha256sum -- "$name"; done; }}
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of an archive: where it belongs, what it held, its mode, and its owner and group by name."""

    path: str
    content: bytes
    mode: int
    owner: str


def digest(kept: Kept) -> str:
    """Return the SHA-256 digest of a file of an archive, in hexadecimal."""
    return hashlib.sha256(kept.content).hexdigest()


def make_script(target: str, files: Sequence[str]) -> str:
    """Given where the archive goes and which files it shall hold, return the script that makes it.

    Files that are not there are left out, links followed; only root reads it. Raises TextError for a path that a
    list of lines cannot hold.
    """
    folder = str(PurePosixPath(target).parent)
    return _MAKE.format(
        folder=shlex.quote(folder), files=_quoted(files), digests=DIGESTS, target=shlex.quote(target)
    )


def sums_script(files: Sequence[str]) -> str:
    """Given files, return the inspecting script that prints the digests an archive of them would list now."""
    return _SUMS.format(files=_quoted(files))


def foreign(reader: Reader, kept: Sequence[Kept], files: Sequence[str]) -> list[str]:
    """Given what an archive holds and the files of Sendmail on a host, return what has no business in an archive.

    Those are paths outside of /etc/mail, but /etc/aliases, that no file of Sendmail leads to by a link either.
    """
    places = set(reader.inspect(_PLACES.format(files=_quoted(files))).stdout.split("\n")) | set(files)
    return [one.path for one in kept if not _USUAL.fullmatch(one.path) and one.path not in places]


def newest(reader: Reader, folder: str = FOLDER) -> str:
    """Return the path of a host's newest archive in a folder, "" where there is none."""
    listed = reader.inspect(f"ls -1 -- {shlex.quote(folder)} 2>/dev/null || :").stdout.split("\n")
    names = sorted(name for name in listed if _NAME.fullmatch(name))
    return f"{folder.rstrip('/')}/{names[-1]}" if names else ""


def fetched(reader: Reader, path: str) -> bytes:
    """Return the bytes of an archive on a host. Raises CommandFailed where it cannot be read."""
    output = reader.inspect(f"base64 <{shlex.quote(path)}")
    try:
        content = base64.b64decode("".join(host_text.words(output.stdout)), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if output.status != 0 or not content:
        raise CommandFailed(
            f"{path} cannot be read",
            status=output.status,
            host=reader.name,
            seen=output.stderr.strip()[-300:] or "no contents",
            advice=f"see which copies there are: ls {FOLDER}",
        )
    return content


def parse_sums(text: str) -> dict[str, str]:
    """Given a list of digests, return the digest of each absolute path. Raise TextError for another line."""
    found = {}
    for line in host_text.lines(text):
        row = _SUM.fullmatch(line)
        if not row:
            raise TextError(f"{line!r} is no line of a list of digests")
        found[f"/{row[2].removeprefix('/')}"] = row[1]
    return found


def read(data: bytes) -> tuple[Kept, ...]:
    """Given an archive, return its files, each of which has the digest that its list says.

    Raise TextError for what is no such archive, for a file that differs from its digest or stands in only one of
    both, and for anything but plain files.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            members = {member.name: (member, _content(archive, member)) for member in archive.getmembers()}
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise TextError(f"this is no archive of Sendmail's files: {error}") from error
    if DIGESTS not in members:
        raise TextError(f"the archive has no list of digests ({DIGESTS})")
    digests = parse_sums(members.pop(DIGESTS)[1].decode("utf-8", "surrogateescape"))
    kept = tuple(
        Kept(_checked(name), content, member.mode & 0o777, _owner(member))
        for name, (member, content) in members.items()
    )
    _expect_digests(digests, {one.path: one.content for one in kept})
    return kept


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise TextError(f"{member.name} of the archive is no plain file")
    return file.read()


def _owner(member: tarfile.TarInfo) -> str:
    """Return owner and group by name, by number where it is no name that a chown could take."""
    pairs = ((member.uname, member.uid), (member.gname, member.gid))
    return ":".join(name if _ACCOUNT.fullmatch(name) else str(number) for name, number in pairs)


def _checked(name: str) -> str:
    path = PurePosixPath("/", name)
    if ".." in path.parts or any(ord(each) < 32 for each in name):
        raise TextError(f"{name!r} of the archive is no place of a file")
    return str(path)


def _expect_digests(digests: Mapping[str, str], contents: Mapping[str, bytes]) -> None:
    for path in sorted(digests.keys() | contents.keys()):
        if path not in digests or path not in contents:
            raise TextError(f"{path} stands in the archive or in its list of digests only")
        if hashlib.sha256(contents[path]).hexdigest() != digests[path]:
            raise TextError(f"{path} of the archive is not what its digest says: it was damaged or edited")


def _quoted(files: Sequence[str]) -> str:
    for path in files:
        if not path.startswith("/") or "\n" in path:
            raise TextError(f"{path!r} cannot be kept in an archive")
    return " ".join(map(shlex.quote, files))
