"""What the steps that change Sendmail's configuration share: files, rebuild, test and reload as one change."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from migrator.change import Change, FileEdit, HostName, Upload
from migrator.errors import Refused
from migrator.hosts import daemon, families
from migrator.hosts.bridge import bridged
from migrator.hosts.derived import Derived
from migrator.sendmail import aliases, known
from migrator.sendmail.cf import Configuration
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.base import Context
from migrator.steps.common.derived import expect_made, look, word_of

MC = "/etc/mail/sendmail.mc"
CF = "/etc/mail/sendmail.cf"
ACCESS = "/etc/mail/access"
MAILERTABLE = "/etc/mail/mailertable"
DERIVED = (CF, "/etc/mail/databases", "/etc/mail/Makefile")
"""What a rebuild writes beside maps; Debian's make keeps a list of databases and a Makefile made from it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The configuration of a host as its files say now; a file that does not exist is None."""

    texts: Mapping[str, str | None]
    cf: Configuration

    def text(self, path: str) -> str:
        """Return a file's text, "" where there is none."""
        return self.texts.get(path) or ""

    def map_path(self, name: str, default: str) -> str:
        """Return the source of a map: the file that its `K` line names, else the usual one."""
        declared = self.cf.map(name)
        path = declared.path if declared and declared.path else default
        return path.removesuffix(".db")


def read(context: Context, host: HostName) -> Sources:
    """Read everything that a change of a host's configuration may touch, in one round trip.

    Raises Refused where there is no sendmail.mc: sendmail.cf alone cannot be edited safely.
    """
    cf = parse_cf(context.facts(host).cf)
    paths = [MC, ACCESS, MAILERTABLE, known.PATH, *DERIVED]
    paths += [declared.path.removesuffix(".db") for declared in cf.maps if declared.path.startswith("/")]
    paths += [file.path for file in cf.class_files if file.path.startswith("/")]
    paths += aliases.files(cf)
    texts = context.reader(host).read_files(tuple(dict.fromkeys(paths)))
    if texts.get(MC) is None:
        raise Refused(
            f"there is no {MC} on the {host} host",
            host=host,
            expected="a sendmail.mc from which sendmail.cf is made",
            seen="none",
            advice="write the .mc that this host's sendmail.cf was made from, rebuild it once by hand, and compare",
        )
    return Sources(texts, parse_cf(texts.get(CF) or ""))


class Reload(Enum):
    """How the daemon comes to the new files: not by this change, or with or without a bridge over the moment."""

    NONE = "none"
    PLAIN = "plain"
    BRIDGED = "bridged"


def change(
    context: Context,
    host: HostName,
    summary: str,
    sources: Sources,
    wanted: Mapping[str, str],
    *,
    test: str = "",
    test_shown: str = "",
    remember: Mapping[str, str] | None = None,
    reload: Reload = Reload.PLAIN,
    edited: Collection[Derived] | None = None,
) -> Change | None:
    """Return the change that gives files these texts, rebuilds, tests and reloads; None where all have them.

    Its undo puts back every file byte for byte, what the rebuild derives included, reloads, and waits until no
    process holds the configuration in between: what is undone next may be what such a process relies on.

    Before, what is not what its source makes is looked for; `edited` is what such a look found already. Raises
    Refused where the rebuild would make one of these anew and --force does not name it.
    """
    edits = tuple(
        FileEdit(path, _bytes(sources.texts.get(path)), _bytes(text))
        for path, text in wanted.items()
        if sources.texts.get(path) != text
    )
    if not edits:
        return None
    found = look(context, host) if edited is None else edited
    lost = expect_made(context, host, found, {edit.path for edit in edits})
    facts = context.facts(host)
    reloaded = daemon.RELOAD_SHOWN if reload is not Reload.NONE else ""
    shown = "\n".join(filter(None, (families.REBUILD_SHOWN, test_shown, reloaded)))
    standing = {**sources.texts, **_read_lost(context, host, lost)}
    kept = tuple(dict.fromkeys((*DERIVED, *(one.path for one in lost))))
    derived = tuple(
        FileEdit(path, None, _bytes(standing[path]), check=False)
        for path in kept
        if standing.get(path) is not None
    )
    back = tuple(FileEdit(edit.path, edit.after, edit.before) for edit in edits)
    reloading = {
        Reload.NONE: "",
        Reload.PLAIN: daemon.reload_and_prove(facts),
        Reload.BRIDGED: bridged(daemon.reload_and_prove(facts)),
    }[reload]
    then = f"set -e\n{_keep(kept)}{families.rebuild(facts)}{test}{_LOADING}{reloading}"
    # sendmail.cf has to be younger than its source, or make would take it for stale.
    without = "".join(_without_map(sources, edit) for edit in edits if f"{edit.path}.db" not in kept)
    younger = shlex.join(["touch", CF, *(one.path for one in lost if one.path != CF)])
    # What was made otherwise than its source says stays where it is surely the younger one (see rebuild_maps).
    later = "sleep 1\n" if any(one.path != CF for one in lost) else ""
    again = f"{later}{younger}\n{without}{families.rebuild_maps(facts)}"
    undo_then = f"set -e\n{again}{daemon.reload_and_outlive(facts, longest=OUTLIVE)}"
    otherwise = f"set -e\n{_put_back(kept)}{again}{_IF_LOADED}{daemon.reload_and_prove(facts)}"
    return Change(
        summary,
        Upload(host, edits, then, otherwise, shown=shown),
        Upload(host, back + derived, undo_then, shown=f"rebuild the maps\n{daemon.RELOAD_SHOWN}"),
        {**(remember or {}), **{f"{word_of(one.kind)}.{host}": "yes" for one in lost}},
    )


OUTLIVE = 240
"""Seconds in which what the daemon forked before an undo has to end."""


def _keep(paths: Collection[str]) -> str:
    """Return the script that keeps files as they stand, for the case that what follows fails."""
    return 'mkdir -p "$work/derived"\n' + "".join(
        f'if [ -e {quoted} ]; then cp -a {quoted} "$work/derived/{number}"; fi\n'
        for number, quoted in enumerate(map(shlex.quote, paths))
    )


def _put_back(paths: Collection[str]) -> str:
    """Return the script that gives files back what was kept of them."""
    return "".join(
        f'if [ -e "$work/derived/{number}" ]; then cp -a "$work/derived/{number}" {quoted}; fi\n'
        for number, quoted in enumerate(map(shlex.quote, paths))
    )


def _read_lost(context: Context, host: HostName, lost: Collection[Derived]) -> Mapping[str, str | None]:
    """Return what the files hold that are made anew by force, so that the undo can bring them back."""
    return context.reader(host).read_files([one.path for one in lost]) if lost else {}


_LOADING = ': >"$work/loading"\n'
# A daemon that was told nothing yet serves by the files of before already.
_IF_LOADED = 'if [ ! -e "$work/loading" ]; then exit 0; fi\n'


def _without_map(sources: Sources, edit: FileEdit) -> str:
    """Return the script that removes the map of a source that was not there before."""
    mapped = {
        ACCESS,
        MAILERTABLE,
        known.PATH,
        *(declared.path.removesuffix(".db") for declared in sources.cf.maps),
    }
    return f"rm -f {shlex.quote(edit.path)}.db\n" if edit.before is None and edit.path in mapped else ""


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
