"""A password that stands in a file of the operator's."""

from __future__ import annotations

from pathlib import Path

from migrator.errors import UsageError
from migrator.secret import Secret


def password_of(file: Path) -> Secret:
    """Given a file of one line, return it. Raises UsageError for one that others can read, and for none."""
    try:
        if file.stat().st_mode & 0o077:
            raise UsageError(f"{file} can be read by others", host="operator", advice=f"chmod 600 {file}")
        return Secret(file.read_text(encoding="utf-8-sig").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", host="operator") from None
