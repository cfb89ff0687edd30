"""Archives of Sendmail's files between the host and the operator's machine."""

from __future__ import annotations

import os
from pathlib import Path

from migrator.cli.toolbox.common import Common
from migrator.cli.toolbox.driving import desk, perform
from migrator.errors import Refused, UsageError
from migrator.toolbox import archive
from migrator.toolbox.backup import Backup
from migrator.toolbox.restore import Restore


def keep(common: Common, folder: str, fetch: Path | None) -> int:
    """Keep an archive on the host, and with `fetch` a copy here; return the exit code.

    Raises UsageError where the file here exists, and what the tool raises.
    """
    if fetch is not None and fetch.exists():
        raise UsageError(f"{fetch} exists, and is left as it is", advice="name another file")
    code = perform(common, lambda chosen: Backup(chosen.host, folder=folder))
    if fetch is not None and not common.dry_run:
        with desk(common) as here:
            reader = here.tools.context.reader(here.target.host)
            path = archive.newest(reader, folder)
            content = archive.fetched(reader, path)
            archive.read(content)
            _write(fetch, content)
            here.say(f"{path} is copied to {fetch}", path=path, fetched=str(fetch))
    return code


def put_back(common: Common, path: str, file: Path | None) -> int:
    """Put the files of an archive back, and return the exit code. Raises UsageError where it cannot be read here."""
    if path and file:
        raise UsageError("--from and --file are two archives", advice="give one of them")
    if path and not path.startswith("/"):
        raise UsageError("Which archive?", expected="an absolute path on the host", seen=path)
    try:
        data = file.read_bytes() if file else None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    return perform(common, lambda chosen: Restore(chosen.host, path=path, data=data))


def _write(path: Path, content: bytes) -> None:
    try:
        # Passwords of other servers may stand in a map.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(content)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", host="operator") from error
