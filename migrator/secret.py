"""Secret: a text that only shows when it is asked for by name."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import NoReturn

MASK = "********"
"""What stands in the place of a secret."""

_TELLING = re.compile(r"(?i)secret|token|passw|credential|api_?key|(^|_)(pass|key)(_|$)|^lexicon_")
_SHORTEST = 6  # characters: a shorter value stands in ordinary words as well


class Secret:
    """A text that masks itself in every representation, and can neither be pickled nor made into JSON.

    `pydantic.SecretStr` does most of this, but it costs a tenth of a second to import, and it can be pickled.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that signs with it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, specification: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def masked(text: str, environment: Mapping[str, str]) -> str:
    """Given what a program said and the environment it ran in, return it without the secrets of that environment.

    A variable holds one where its name says so (TOKEN, PASSWORD, …), or begins with LEXICON_.
    """
    values = {
        value for name, value in environment.items() if len(value) >= _SHORTEST and _TELLING.search(name)
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
