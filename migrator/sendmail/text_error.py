"""What is raised for text that cannot be read, and for values that may not stand in Sendmail's files."""

from __future__ import annotations

from migrator.errors import MigrateError


class TextError(MigrateError, ValueError):
    """Text from a host is not what it should be, or a value would break the file it is meant for."""
