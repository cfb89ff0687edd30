"""Sendmail's files put back as an archive holds them: verified, written together, rebuilt, loaded and proven."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from migrator.change import Change, FileEdit, HostName, Upload
from migrator.errors import Refused, VerifyFailed
from migrator.executor.base import Executor
from migrator.hosts import daemon, families
from migrator.hosts.derived import Derived
from migrator.sendmail import aliases, maps
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.text_error import TextError
from migrator.steps.base import Context
from migrator.steps.common import derived
from migrator.steps.common.configure import CF, MC
from migrator.toolbox import archive
from migrator.toolbox.archive import Kept
from migrator.toolbox.backup import files
from migrator.toolbox.base import Tool
from migrator.toolbox.private import has_login, kept_apart
from migrator.toolbox.secrets import Revealing

_SHOWN = "sendmail.cf made younger than sendmail.mc, maps and aliases rebuilt where their sources are younger"


class Restore(Tool):
    """Put Sendmail's files back as an archive holds them.

    Given the host, and the archive: its path there (default: the newest), or its bytes. Files that came since
    stay, and maps are built anew from their sources.
    """

    name = "restore"

    def __init__(self, host: HostName, *, path: str = "", data: bytes | None = None) -> None:
        super().__init__(host)
        self._path = path
        self._data = data
        self._kept: tuple[Kept, ...] | None = None
        self._private: dict[str, bytes | None] = {}

    def ready(self, context: Context) -> None:
        """Raise Refused where there is no archive, where it is not what its digests say, or holds files of others."""
        kept = self._archive(context)
        if not any(one.path in (MC, CF) for one in kept):
            raise Refused("the archive holds no configuration of Sendmail", host=self.host, expected=MC)
        kept_by_sendmail = files(context.facts(self.host))
        if strange := archive.foreign(context.reader(self.host), kept, kept_by_sendmail):
            raise Refused(
                "the archive holds files that are none of Sendmail's on this host",
                host=self.host,
                expected="files of /etc/mail, /etc/aliases, and what sendmail.cf names",
                seen=", ".join(strange),
                advice="see where the archive comes from",
            )

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return which archive it is, and which files are not as it holds them."""
        kept = self._archive(context)
        differing = [one.path for one, now in self._compared(context) if now != one.content]
        return {
            "archive": f"{self._path or 'given'}: {len(kept)} files, each as its digest says",
            "differ": ", ".join(differing) or "none",
        }

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change of all files that differ; nothing where none does."""
        edits = tuple(
            FileEdit(one.path, now, one.content, f"{one.mode:04o}", one.owner)
            for one, now in self._compared(context)
            if now != one.content
        )
        if not edits:
            return
        back = tuple(FileEdit(edit.path, edit.after, edit.before, edit.mode, edit.owner) for edit in edits)
        lost = self._lost(context, edits)
        then, again = self._then(context, edits), self._then(context, back, lost)
        back += lost
        shown = f"{_SHOWN}\n{daemon.RELOAD_SHOWN}"
        change = Change(
            f"put back {len(edits)} files of Sendmail on the {self.host} host",
            Upload(self.host, edits, then, again, shown=shown),
            Upload(self.host, back, again, shown=shown),
        )
        self._private = {edit.path: edit.after for edit in edits if has_login(edit)}
        folder = f"{archive.FOLDER}/before-restore-{context.now():%Y%m%dT%H%M%SZ}"
        yield kept_apart(change, self._private, folder) if self._private else change

    def executor(self, live: Executor) -> Executor:
        """Return the executor that writes files with logins, which no journal holds."""
        return Revealing(live, lambda edit: self._private.get(edit.path))

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where a file is not as the archive holds it."""
        differing = [one.path for one, now in self._compared(context) if now != one.content]
        if differing:
            raise VerifyFailed(
                "files are not as the archive holds them",
                host=self.host,
                expected="equal bytes",
                seen=", ".join(differing),
                advice="see who edits them, and run this again",
            )

    def _archive(self, context: Context) -> tuple[Kept, ...]:
        if self._kept is None:
            reader = context.reader(self.host)
            if self._data is None:
                self._path = self._path or archive.newest(reader)
                if not self._path:
                    raise Refused(
                        f"there is no copy in {archive.FOLDER} on the {self.host} host",
                        host=self.host,
                        advice="make one with `migrate sendmail backup`, or give --from or --file",
                    )
                self._data = archive.fetched(reader, self._path)
            try:
                self._kept = archive.read(self._data)
            except TextError as error:
                raise Refused(
                    "the archive is not to be trusted",
                    host=self.host,
                    expected="plain files, each with the digest that the list in the archive says",
                    seen=str(error),
                    advice="take another one",
                ) from error
        return self._kept

    def _compared(self, context: Context) -> list[tuple[Kept, bytes | None]]:
        """Return the files to put back, and what each holds now; maps that have a source are built from it."""
        kept = self._archive(context)
        sources = {one.path for one in kept} | set(aliases.files(parse_cf(context.facts(self.host).cf)))
        wanted = [one for one in kept if not one.path.endswith(".db") or one.path[:-3] not in sources]
        texts = context.reader(self.host).read_files([one.path for one in wanted])
        return [(one, _bytes(texts[one.path])) for one in wanted]

    def _lost(self, context: Context, edits: tuple[FileEdit, ...]) -> tuple[FileEdit, ...]:
        """Return what brings maps back that are built anew by force; sendmail.cf is put back as it was kept.

        Raises Refused where entries stand in a map alone, neither in its source nor in what the archive holds of it,
        and --force does not name it.
        """
        after = {edit.path: edit.after for edit in edits}
        found = [
            one
            for one in derived.look(context, self.host)
            if not one.path.endswith(".cf") and _dropped(one, after.get(one.source))
        ]
        lost = derived.expect_made(context, self.host, found, set(after))
        texts = context.reader(self.host).read_files([one.path for one in lost]) if lost else {}
        return tuple(FileEdit(path, None, _bytes(text), check=False) for path, text in texts.items() if text)

    def _then(self, context: Context, edits: tuple[FileEdit, ...], kept: tuple[FileEdit, ...] = ()) -> str:
        facts = context.facts(self.host)
        sources = set(aliases.files(parse_cf(facts.cf)))
        aliased = any(edit.path in sources or edit.path == "/etc/aliases" for edit in edits)
        aliased = aliased and not any(edit.path.removesuffix(".db") in sources for edit in kept)
        gone = "".join(f"rm -f {shlex.quote(edit.path)}.db\n" for edit in edits if edit.after is None)
        rebuilt = "newaliases >/dev/null\n" if aliased else ""
        # sendmail.cf has to be younger than its source, or make would take it for stale.
        younger = shlex.join(["touch", CF, *(edit.path for edit in kept)])
        return (
            f"set -e\n{younger}\n{gone}{families.rebuild_maps(facts)}{rebuilt}"
            f"{families.loadable()}{daemon.reload_and_prove(facts)}"
        )


def _dropped(one: Derived, kept: bytes | None) -> bool:
    """Return whether entries of a map would go that neither its source has, nor what is put back in its place."""
    text = (kept or b"").decode("utf-8", "surrogateescape")
    known = {maps.fold(entry.key): entry.value for entry in maps.parse(text)}
    known |= (
        {name: ", ".join(value) for name, value in aliases.parse(text).items()}
        if one.kind == "aliases"
        else {}
    )
    alone = [line[1:].partition("\t") for line in one.difference.split("\n")[2:] if line[:1] == "-"]
    return one.kind == "fault" or any(known.get(maps.fold(key)) != value for key, _, value in alone)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
