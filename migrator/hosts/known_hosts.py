"""Whether a host's key is one that is known: the known_hosts file as sshd(8) describes it."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from migrator import host_text

Verdict = Literal["known", "unknown", "changed", "revoked"]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a known_hosts file: which hosts, which type, which key (base64)."""

    hosts: str
    kind: str
    key: str
    revoked: bool = False

    def names(self, host: str) -> bool:
        """Return whether the line is about a host, given as `host` or `[host]:port`."""
        if self.hosts.startswith("|1|"):
            return _hashed(self.hosts, host)
        patterns = self.hosts.lower().split(",")
        if any(_matches(pattern[1:], host) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(_matches(pattern, host) for pattern in patterns if not pattern.startswith("!"))


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The lines of a known_hosts file that name single keys, without those of certificate authorities."""

    keys: tuple[KnownKey, ...]

    def verdict(self, host: str, kind: str, key: str) -> Verdict:
        """Given a host as `host` or `[host]:port` and the key it showed, return what is known of it.

        "changed" means that other keys of this type are known for the host, and this one is not among them.
        """
        lines = [line for line in self.keys if line.names(host)]
        if any(line.revoked and line.key == key for line in self.keys):
            return "revoked"
        if any(line.key == key and line.kind == kind for line in lines if not line.revoked):
            return "known"
        return "changed" if lines else "unknown"

    def kinds(self, host: str) -> tuple[str, ...]:
        """Return the types of the keys known for a host, in the order of the file."""
        return tuple(dict.fromkeys(line.kind for line in self.keys if not line.revoked and line.names(host)))


def read_known_hosts(path: Path) -> KnownHosts:
    """Return what a known_hosts file holds; nothing where there is no such file. Raises OSError otherwise."""
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return KnownHosts(())
    return parse_known_hosts(text)


def parse_known_hosts(text: str) -> KnownHosts:
    """Given the text of a known_hosts file, return its keys; other lines are passed over, as ssh does."""
    keys = []
    for line in host_text.lines(text):
        fields = host_text.words(line)
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) >= 3 and not fields[0].startswith("#") and marker in {"", "@revoked"}:
            keys.append(KnownKey(fields[0], fields[1], fields[2], revoked=bool(marker)))
    return KnownHosts(tuple(keys))


def display_name(host: str, port: int) -> str:
    """Return a host as known_hosts names it: `host`, or `[host]:port` for a port other than 22."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def fingerprint(key: bytes) -> str:
    """Given a public key as it travels, return its fingerprint as ssh-keygen -l shows it ("SHA256:…")."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode("ascii").rstrip("=")


def _matches(pattern: str, host: str) -> bool:
    # Brackets are part of a name here ([host]:port), not a set of characters.
    return fnmatch.fnmatchcase(host, re.sub(r"\[", "[[]", pattern))


def _hashed(field: str, host: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, host.encode(), hashlib.sha1).digest(), digest)
