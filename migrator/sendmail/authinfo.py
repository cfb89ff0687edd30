"""The lines of the authinfo map, which tell Sendmail how to log in to another server.

cf/README ("Providing SMTP AUTH Data when sendmail acts as Client"): the key is `AuthInfo:` and the server's name;
the value holds quoted parts, `U:` the user, `P:` the password, `M:` the mechanisms; with `=` in place of `:` a part is
in base64.
"""

from __future__ import annotations

import base64
import re

from migrator.secret import MASK, Secret
from migrator.sendmail import maps
from migrator.sendmail.text_error import TextError

_PLAIN = re.compile(r"[!#-\[\]-~](?:[ !#-\[\]-~]*[!#-\[\]-~])?")
_PASSWORD = re.compile(r'"P([:=])[^"]*"')
_MECHANISM = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,19}")


def key(server: str) -> str:
    """Given a server's name, return the key of its line."""
    return f"AuthInfo:{server}"


def value(user: str, password: Secret, mechanisms: str) -> str:
    """Given user, password and mechanisms ("PLAIN" or "PLAIN LOGIN"), return the value of a line.

    What quotes could not hold goes in as base64. Raise TextError for an empty part, a line end or a NUL, and for what
    is no list of mechanisms.
    """
    if not mechanisms or not all(map(_MECHANISM.fullmatch, mechanisms.split(" "))):
        raise TextError(f"{mechanisms!r} is no list of SASL mechanisms")
    return f'{_part("U", user)} {_part("P", password.reveal())} "M:{mechanisms}"'


def masked(text: str) -> str:
    """Given an authinfo file, return it without its passwords."""
    return _PASSWORD.sub(lambda found: f'"P{found[1]}{MASK}"', text)


def with_login(text: str, server: str, login: str) -> str:
    """Given an authinfo file, a server's name and a value, return it with that value for the server.

    Every other line stays byte for byte. Raise TextError for a name or a value that no line can hold.
    """
    return maps.set_entry(text, key(server), login)


def _part(letter: str, content: str) -> str:
    if not content or any(character in content for character in "\0\r\n"):
        raise TextError(f"the {'password' if letter == 'P' else 'user'} is empty, or has more than one line")
    if _PLAIN.fullmatch(content):
        return f'"{letter}:{content}"'
    encoded = base64.b64encode(content.encode("utf-8", "surrogateescape")).decode("ascii")
    return f'"{letter}={encoded}"'
