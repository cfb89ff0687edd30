"""The script that changes several files together, and puts them back where what follows fails."""

from __future__ import annotations

import base64
import hashlib
import shlex

from migrator.change import FileEdit, Upload
from migrator.hosts.script import here

CHANGED = 65
"""The exit status where a file is neither as it was read nor as it shall be (EX_DATAERR of sysexits.h)."""

_ABSENT = "absent"

_FUNCTIONS = r"""work=$(mktemp -d "${TMPDIR:-/tmp}/migrate-files.XXXXXXXXXX") || exit 70
trap 'rm -rf "$work"' EXIT
decode() {
    if command -v base64 >/dev/null 2>&1; then base64 -d
    elif command -v openssl >/dev/null 2>&1; then openssl base64 -d
    else perl -MMIME::Base64 -ne 'print decode_base64($_)'
    fi
}
digest() {
    if [ -f "$1" ]; then sha256sum <"$1" | cut -c 1-64
    elif [ -e "$1" ]; then echo 'no regular file'
    else echo absent
    fi
}
# The file that a link leads to is what changes; the link stays.
resolve() { if [ -L "$1" ]; then readlink -f -- "$1"; else printf '%s\n' "$1"; fi; }
look() { # number path before after check
    target=$(resolve "$2")
    now=$(digest "$target")
    if [ "$now" = "$4" ]; then return 0; fi
    if [ "$5" = yes ] && [ "$now" != "$3" ]; then
        printf '%s was changed by somebody else since it was read\n' "$2" >&2
        exit 65
    fi
    if [ "$now" = 'no regular file' ]; then printf '%s is no regular file\n' "$2" >&2; exit 65; fi
    : >"$work/write.$1" || exit 74
}
swap() { # source target; takes the place of the target in one instant
    temporary=$(mktemp "${2%/*}/.migrate.XXXXXXXXXX") || return 1
    if [ -e "$2" ]; then
        cp -a --attributes-only -- "$2" "$temporary" && cat "$1" >"$temporary"
    else
        cat "$1" >"$temporary" && chown "$3" "$temporary" && chmod "$4" "$temporary"
    fi && mv -f -- "$temporary" "$2" || { rm -f -- "$temporary"; return 1; }
    if [ -z "$3" ]; then return 0; fi
    if command -v restorecon >/dev/null 2>&1; then restorecon "$2" 2>/dev/null; fi
    return 0
}
write() { # number path after owner mode
    if [ ! -e "$work/write.$1" ]; then return 0; fi
    target=$(resolve "$2")
    owner=; mode=
    if [ -e "$target" ]; then cp -a -- "$target" "$work/old.$1" || return 1; else owner=$4; mode=$5; fi
    : >"$work/written.$1" || return 1
    if [ "$3" = absent ]; then rm -f -- "$target"; else swap "$work/new.$1" "$target" "$owner" "$mode"; fi
}
restore() { # number path
    if [ ! -e "$work/written.$1" ]; then return 0; fi
    target=$(resolve "$2")
    if [ ! -e "$work/old.$1" ]; then rm -f -- "$target"; return; fi
    # A new time of change, or make would take what was built from the other contents for up to date.
    temporary=$(mktemp "${target%/*}/.migrate.XXXXXXXXXX") || return 1
    cp -a -- "$work/old.$1" "$temporary" && touch -- "$temporary" && mv -f -- "$temporary" "$target"
}
"""


def upload_script(upload: Upload) -> str:
    """Given files and what makes them count, return the POSIX sh script that changes all of them or none.

    Each file is replaced in one instant and keeps its owner, mode and SELinux context. A file that already is
    as it shall be is not written, and `then` runs all the same. A file that is neither as it was read nor as
    it shall be ends the script with CHANGED before anything is written. Where `then` fails, the old contents
    are put back, `otherwise` runs, and the script ends with the status of `then`. Raises ValueError for a
    path that is not absolute.
    """
    files = list(enumerate(upload.files))
    restore = "".join(f"restore {number} {_path(edit)} || complete=no\n" for number, edit in files)
    otherwise = upload.then if upload.otherwise is None else upload.otherwise
    return "".join(
        [
            _FUNCTIONS,
            *(_content(number, edit) for number, edit in files),
            *(_look(number, edit) for number, edit in files),
            f"then_script() {{\n:\n{upload.then}\n}}\notherwise_script() {{\n:\n{otherwise}\n}}\nstatus=0\n",
            *(_write(number, edit) for number, edit in files),
            "if [ $status -eq 0 ]; then\n( then_script )\nstatus=$?\nfi\n",
            "if [ $status -eq 0 ]; then exit 0; fi\n",
            f"echo 'this failed, so the files of before are put back' >&2\ncomplete=yes\n{restore}",
            "if [ $complete = no ]; then echo 'NOT every file could be put back' >&2; fi\n",
            "( otherwise_script ) || echo 'what should follow the files of before failed as well' >&2\n",
            "exit $status\n",
        ]
    )


def _path(edit: FileEdit) -> str:
    if not edit.path.startswith("/") or "\0" in edit.path or edit.path.endswith("/"):
        raise ValueError(f"no absolute path of a file: {edit.path!r}")
    return shlex.quote(edit.path)


def _digest(content: bytes | None) -> str:
    return _ABSENT if content is None else hashlib.sha256(content).hexdigest()


def _content(number: int, edit: FileEdit) -> str:
    if edit.after is None:
        return ""
    decoded = here(f'decode >"$work/new.{number}"', base64.encodebytes(edit.after).decode("ascii"))
    test = f'if [ "$(digest "$work/new.{number}")" != {_digest(edit.after)} ]; then\n'
    return f"{decoded}{test}    echo 'the new contents did not arrive whole' >&2\n    exit 70\nfi\n"


def _look(number: int, edit: FileEdit) -> str:
    check = "yes" if edit.check else "no"
    return f"look {number} {_path(edit)} {_digest(edit.before)} {_digest(edit.after)} {check}\n"


def _write(number: int, edit: FileEdit) -> str:
    words = f"{_path(edit)} {_digest(edit.after)} {shlex.quote(edit.owner)} {shlex.quote(edit.mode)}"
    return f"if [ $status -eq 0 ]; then write {number} {words} || status=74; fi\n"
