"""The key that signs DNS updates (TSIG, RFC 8945), and the two forms of file that hold one."""

import base64
import binascii
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from migrator import host_text
from migrator.errors import DnsError
from migrator.secret import Secret

ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1", "hmac-md5")
_LARGEST_FILE = 65536
_COMMENT = re.compile(r'("[^"\n]*")|/\*.*?\*/|//[^\n]*|#[^\n]*', re.DOTALL)
_CLAUSE = re.compile(r'\bkey\s+"?([^\s"{}]+)"?\s*\{([^{}]*)\}')
_SETTING = re.compile(r'\b(algorithm|secret)\s+"?([^\s";]+)"?\s*;')


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A named key, its secret in base64."""

    name: str
    algorithm: str
    secret: Secret


def read_key(path: Path, *, name: str, algorithm: str) -> TsigKey:
    """Read a key file: the bare base64 secret, or a `key` clause as tsig-keygen(8) prints it.

    Raise DnsError where the file cannot be read, can be read by others than its owner, or holds no such key.
    """
    advice = f"chmod 600 {path}"
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise DnsError(f"the key file {path} cannot be read", seen=error.strerror or str(error)) from error
    if mode & 0o077:
        raise DnsError(
            f"others can read the key file {path}", expected="mode 0600", seen=f"{mode:04o}", advice=advice
        )
    if len(content) > _LARGEST_FILE:
        raise DnsError(f"the key file {path} is too long to be one", seen=f"more than {_LARGEST_FILE} bytes")
    return parse_key(content.decode("utf-8-sig", "replace"), name=name, algorithm=algorithm)


def parse_key(text: str, *, name: str, algorithm: str) -> TsigKey:
    """Given the bare base64 secret or `key` clauses, return the key of this name and algorithm.

    A clause's own algorithm must be the given one. Raise DnsError otherwise; no error repeats the secret.
    """
    wanted = name.rstrip(".").lower()
    algorithm = algorithm.rstrip(".").lower()
    if algorithm not in ALGORITHMS:
        raise DnsError("unknown TSIG algorithm", expected=", ".join(ALGORITHMS), seen=repr(algorithm))
    clauses = _CLAUSE.findall(_COMMENT.sub(lambda match: match[1] or " ", text))
    if not clauses:
        return TsigKey(f"{wanted}.", algorithm, _checked_secret(text))
    for found, settings in clauses:
        if found.rstrip(".").lower() == wanted:
            return _from_clause(wanted, algorithm, dict(_SETTING.findall(settings)))
    names = ", ".join(sorted({found for found, _ in clauses}))
    raise DnsError(
        "the key file holds another key", expected=wanted, seen=names, advice="set dns.rfc2136.key_name"
    )


def _from_clause(name: str, algorithm: str, settings: dict[str, str]) -> TsigKey:
    stated = settings.get("algorithm", algorithm).rstrip(".").lower()
    if stated != algorithm:
        raise DnsError(
            "the key file states another algorithm",
            expected=algorithm,
            seen=stated,
            advice="set dns.rfc2136.key_algorithm",
        )
    return TsigKey(f"{name}.", algorithm, _checked_secret(settings.get("secret", "")))


def _checked_secret(text: str) -> Secret:
    secret = "".join(host_text.words(text))
    try:
        length = len(base64.b64decode(secret, validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if not length:
        raise DnsError("the TSIG secret is not base64", expected="base64, or a key clause of tsig-keygen")
    return Secret(secret)
