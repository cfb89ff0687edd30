"""Where a host's sshd looks for the keys of a user: what its configuration comes to, not what one file says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

_TOKEN = re.compile(r"%(.)", re.DOTALL)


def settings_script(*, user: str, address: str) -> str:
    """Return the inspecting script that prints what sshd's configuration comes to for a user from an address.

    It prints nothing where sshd does not tell: `-T` needs root, and a sshd that may read its host keys (sshd(8)).
    """
    who = shlex.quote(f"user={user},host={address},addr={address}")
    # An older sshd takes no name without a slash, and no -C that leaves one of the three out.
    return f'sshd=$(command -v sshd) && "$sshd" -T -C {who} 2>/dev/null\nexit 0\n'


def authorized_keys_files(text: str, *, user: str, uid: int, home: str) -> tuple[str, ...]:
    """Given what `sshd -T` printed, return the absolute paths of the user's authorized_keys, in sshd's order.

    Nothing where it does not say, or says "none". Tokens are those of sshd_config(5), AuthorizedKeysFile; a path
    with another one is left out, for nobody knows where it leads.
    """
    known = {"h": home, "u": user, "U": str(uid), "%": "%"}
    for line in text.split("\n"):
        word, _, value = line.strip().partition(" ")
        if word.lower() == "authorizedkeysfile":
            paths = (_expanded(each, known) for each in value.split() if each.lower() != "none")
            return tuple(dict.fromkeys(_absolute(path, home) for path in paths if path))
    return ()


def _expanded(path: str, known: Mapping[str, str]) -> str:
    if any(token not in known for token in _TOKEN.findall(path)):
        return ""
    return _TOKEN.sub(lambda found: known[found[1]], path)


def _absolute(path: str, home: str) -> str:
    return path if path.startswith("/") else f"{home.rstrip('/')}/{path}"
