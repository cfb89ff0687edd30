"""What a host's sshd does: where it looks for the keys of a user, and which of its addresses it was reached at."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from migrator import host_text

CONNECTION_SCRIPT = r"""pid=$$
for each in 1 2 3 4 5; do
    found=$(tr '\000' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p')
    if [ -n "$found" ]; then echo "$found"; exit 0; fi
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)
    [ -n "$pid" ] || exit 0
done
exit 0
"""
"""The inspecting script that prints SSH_CONNECTION (ssh(1)), which sudo keeps for itself."""

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
        word, _, value = host_text.stripped(line).partition(" ")
        if word.lower() == "authorizedkeysfile":
            paths = (_expanded(each, known) for each in host_text.words(value) if each.lower() != "none")
            return tuple(dict.fromkeys(_absolute(path, home) for path in paths if path))
    return ()


def _expanded(path: str, known: Mapping[str, str]) -> str:
    if any(token not in known for token in _TOKEN.findall(path)):
        return ""
    return _TOKEN.sub(lambda found: known[found[1]], path)


def _absolute(path: str, home: str) -> str:
    return path if path.startswith("/") else f"{home.rstrip('/')}/{path}"


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of the operator's connection as the host sees them: where from, and its sshd's address and port."""

    client: str
    server: str
    port: int


def parse_connection(text: str) -> Ends | None:
    """Given what CONNECTION_SCRIPT printed, return both ends; None where it does not say."""
    words = host_text.words(text)
    if len(words) != 4 or not re.fullmatch(r"\d{1,5}", words[3], re.ASCII):
        return None
    try:
        client, server = (str(ipaddress.ip_address(word.partition("%")[0])) for word in (words[0], words[2]))
    except ValueError:
        return None
    return Ends(client, server, int(words[3]))
