"""Files with passwords in a change: masked in the journal, and on the host the ones of before kept for the undo.

Logins at other servers stand in authinfo or in access (cf/README, "Providing SMTP AUTH Data when sendmail acts as
Client"). The executor puts their true contents in place at the last moment (see Revealing).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import replace

from migrator.change import Change, FileEdit, Upload
from migrator.sendmail import authinfo
from migrator.toolbox.difference import difference

_LOGIN = re.compile(rb"^[ \t]*AuthInfo:", re.IGNORECASE | re.MULTILINE)

# A second attempt of the same change must not take what the first one wrote for what was there before.
_KEEP = """if [ -e "$work/written.{number}" ] && [ ! -e {kept} ] && [ ! -e {kept}.none ]; then
    mkdir -p {folder} && chmod 0700 {folder} || exit 1
    if [ -e "$work/old.{number}" ]; then cp -a "$work/old.{number}" {kept} || exit 1; else : >{kept}.none; fi
fi
"""
_FORGET = """if [ -e "$work/written.{number}" ]; then rm -f {kept} {kept}.none; rmdir {folder} 2>/dev/null || :; fi
"""
_BACK = """if [ -e {kept} ]; then cp -a {kept} {path} && touch {path}
elif [ -e {kept}.none ]; then rm -f {path} {path}.db
fi
"""


def has_login(edit: FileEdit) -> bool:
    """Return whether a file holds a login before or after a change."""
    return any(_LOGIN.search(content) for content in (edit.before, edit.after) if content)


def kept_apart(change: Change, paths: Collection[str], folder: str) -> Change:
    """Given a change of files, those of them with logins, and a folder of the host, return the change without secrets.

    What the change writes there is masked, as is the difference that a preview shows, and has to be revealed by the
    executor; the former files are kept in the folder, from where the undo takes them.

    Raises TypeError for a change that is no upload with an upload as undo.
    """
    do, undo = change.do, change.undo
    if not (isinstance(do, Upload) and isinstance(undo, Upload)):
        raise TypeError("only uploads change files")
    places = {edit.path: number for number, edit in enumerate(do.files) if edit.path in paths}
    keep = "".join(_filled(_KEEP, folder, path, number) for path, number in places.items())
    forget = "".join(_filled(_FORGET, folder, path, number) for path, number in places.items())
    masked = {edit.path: _masked(edit) for edit in do.files if edit.path in paths}
    there = "".join(
        f"{difference(path, _text(edit.before), _text(edit.after))}\n" for path, edit in masked.items()
    )
    back = "".join(_filled(_BACK, folder, path, number) for path, number in places.items())
    return replace(
        change,
        do=replace(
            do,
            files=tuple(masked.get(edit.path, edit) for edit in do.files),
            then=keep + do.then,
            shown=there + do.shown,
            otherwise=forget + (do.then if do.otherwise is None else do.otherwise),
        ),
        undo=replace(
            undo,
            files=tuple(edit for edit in undo.files if edit.path not in paths),
            then=back + undo.then,
        ),
    )


def _masked(edit: FileEdit) -> FileEdit:
    before, after = (_without_passwords(content) for content in (edit.before, edit.after))
    return replace(edit, before=before, after=after, check=False)


def _without_passwords(content: bytes | None) -> bytes | None:
    if content is None:
        return None
    return authinfo.masked(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "backslashreplace")


def _filled(script: str, folder: str, path: str, number: int) -> str:
    kept = shlex.quote(f"{folder}/{number}")
    return script.format(folder=shlex.quote(folder), kept=kept, path=shlex.quote(path), number=number)
