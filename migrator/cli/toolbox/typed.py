"""What was typed and cannot be, told as that before anything is contacted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from migrator.errors import UsageError
from migrator.sendmail.text_error import TextError


@contextmanager
def checked() -> Iterator[None]:
    """Raise UsageError for the TextError of a value from the command line."""
    try:
        yield
    except TextError as error:
        raise UsageError(error.message, host="operator") from error
