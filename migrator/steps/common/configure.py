"""What the steps that change Sendmail's configuration share: files, rebuild, test and reload as one change."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from migrator.change import Change, FileEdit, HostName, Upload
from migrator.errors import Refused
from migrator.hosts import daemon, families
from migrator.hosts.bridge import bridged
from migrator.sendmail import aliases
from migrator.sendmail.cf import Configuration
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.base import Context

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
    paths = [MC, ACCESS, MAILERTABLE, *DERIVED]
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
) -> Change | None:
    """Return the change that gives files these texts, rebuilds, tests and reloads; None where all have them.

    Its undo puts back every file byte for byte, what the rebuild derives included, reloads, and waits until no
    process holds the configuration in between: what is undone next may be what such a process relies on.
    """
    edits = tuple(
        FileEdit(path, _bytes(sources.texts.get(path)), _bytes(text))
        for path, text in wanted.items()
        if sources.texts.get(path) != text
    )
    if not edits:
        return None
    facts = context.facts(host)
    reloaded = daemon.RELOAD_SHOWN if reload is not Reload.NONE else ""
    shown = "\n".join(filter(None, (families.REBUILD_SHOWN, test_shown, reloaded)))
    derived = tuple(
        FileEdit(path, None, _bytes(sources.texts[path]), check=False)
        for path in DERIVED
        if sources.texts.get(path) is not None
    )
    back = tuple(FileEdit(edit.path, edit.after, edit.before) for edit in edits)
    reloading = {
        Reload.NONE: "",
        Reload.PLAIN: daemon.reload_and_prove(facts),
        Reload.BRIDGED: bridged(daemon.reload_and_prove(facts)),
    }[reload]
    then = f"set -e\n{_KEEP}{families.rebuild(facts)}{test}{_LOADING}{reloading}"
    # sendmail.cf has to be younger than its source, or make would take it for stale.
    without = "".join(_without_map(sources, edit) for edit in edits)
    again = f"touch {CF}\n{without}{families.rebuild_maps(facts)}"
    undo_then = f"set -e\n{again}{daemon.reload_and_outlive(facts, longest=OUTLIVE)}"
    otherwise = f"set -e\n{_PUT_BACK}{again}{_IF_LOADED}{daemon.reload_and_prove(facts)}"
    return Change(
        summary,
        Upload(host, edits, then, otherwise, shown=shown),
        Upload(host, back + derived, undo_then, shown=f"rebuild the maps\n{daemon.RELOAD_SHOWN}"),
        dict(remember or {}),
    )


OUTLIVE = 240
"""Seconds in which what the daemon forked before an undo has to end."""

_KEEP = f"""mkdir -p "$work/derived"
for file in {" ".join(DERIVED)}; do
    if [ -e "$file" ]; then cp -a "$file" "$work/derived/"; fi
done
"""
_PUT_BACK = f"""for file in {" ".join(DERIVED)}; do
    if [ -e "$work/derived/${{file##*/}}" ]; then cp -a "$work/derived/${{file##*/}}" "$file"; fi
done
"""
_LOADING = ': >"$work/loading"\n'
# A daemon that was told nothing yet serves by the files of before already.
_IF_LOADED = 'if [ ! -e "$work/loading" ]; then exit 0; fi\n'


def _without_map(sources: Sources, edit: FileEdit) -> str:
    """Return the script that removes the map of a source that was not there before."""
    mapped = {ACCESS, MAILERTABLE, *(declared.path.removesuffix(".db") for declared in sources.cf.maps)}
    return f"rm -f {shlex.quote(edit.path)}.db\n" if edit.before is None and edit.path in mapped else ""


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
