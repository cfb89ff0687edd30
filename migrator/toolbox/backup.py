"""Sendmail's files and maps kept together, dated and with their digests; and put back from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from migrator.change import Change, HostName, Shell, Undo
from migrator.errors import UsageError, VerifyFailed
from migrator.hosts.facts import HostFacts
from migrator.sendmail import aliases
from migrator.sendmail.cf import Configuration
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.text_error import TextError
from migrator.steps.backup import FILES
from migrator.steps.base import Context
from migrator.toolbox import archive
from migrator.toolbox.base import Tool


class Backup(Tool):
    """Keep Sendmail's files and maps in an archive on the host.

    Given the host, and the folder there (default: /var/backups/migrate). Nothing is kept twice: where the newest
    archive holds all of it as it is now, none is made.
    """

    name = "backup"

    def __init__(self, host: HostName, *, folder: str = archive.FOLDER) -> None:
        super().__init__(host)
        path = PurePosixPath(folder)
        if not path.is_absolute() or ".." in path.parts or not folder.isprintable():
            raise UsageError("Where on the host?", expected="an absolute path of a folder", seen=folder)
        self._folder = str(path)

    def newest(self, context: Context) -> str:
        """Return the path of the newest archive, "" where there is none."""
        return archive.newest(context.reader(self.host), self._folder)

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return the newest archive, and how the host's files differ from it."""
        path = self.newest(context)
        if not path:
            return {"newest copy": f"none in {self._folder}"}
        differing = self._differing(context, path)
        return {
            "newest copy": path,
            "since then": f"{len(differing)} files changed: {', '.join(differing)}"
            if differing
            else "no change",
        }

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the making of an archive, unless the newest one holds everything as it is."""
        path = self.newest(context)
        if path and not self._differing(context, path):
            return
        target = f"{self._folder}/sendmail-{context.now():%Y%m%dT%H%M%SZ}.tar"
        kept = files(context.facts(self.host))
        yield Change(
            f"keep Sendmail's files of the {self.host} host in {target}",
            Shell(
                self.host,
                archive.make_script(target, kept),
                shown=f"sha256sum and tar, to {target}, of those that exist:\n" + "\n".join(kept),
            ),
            Undo.NOT_NEEDED,
        )

    def verify(self, context: Context) -> None:
        """Read the newest archive anew, and raise VerifyFailed where it is not whole or not as the files are."""
        path = self.newest(context)
        try:
            archive.read(archive.fetched(context.reader(self.host), path))
            differing = self._differing(context, path)
        except TextError as error:
            differing = [str(error)]
        if differing:
            raise VerifyFailed(
                f"{path or 'the archive'} does not hold the files as they are",
                host=self.host,
                expected="every file with its digest",
                seen=", ".join(differing),
                advice="see whether somebody edits them just now and whether there is room, and run this again",
            )

    def _differing(self, context: Context, path: str) -> list[str]:
        reader = context.reader(self.host)
        listed = reader.inspect(archive.sums_script(files(context.facts(self.host)))).stdout
        now = archive.parse_sums(listed)
        try:
            then = {one.path: one for one in archive.read(archive.fetched(reader, path))}
        except TextError as error:
            return [str(error)]
        return sorted(
            one
            for one in now.keys() | then.keys()
            if one not in then or archive.digest(then[one]) != now.get(one)
        )


def files(facts: HostFacts) -> tuple[str, ...]:
    """Return every file that Sendmail's configuration on a host consists of: the usual ones, and all that it names."""
    configuration = parse_cf(facts.cf)
    paths = [*FILES, *_named(configuration), *aliases.files(configuration)]
    with_maps = [name for path in paths for name in (path, f"{path.removesuffix('.db')}.db")]
    return tuple(dict.fromkeys(path for path in with_maps if path.startswith("/") and path.isprintable()))


def _named(configuration: Configuration) -> Sequence[str]:
    maps = [declared.path.removesuffix(".db") for declared in configuration.maps]
    return [*maps, *(file.path for file in configuration.class_files)]
