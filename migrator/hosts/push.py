"""A port on the new host's loopback that the old host holds open to its own sshd, where only it may connect."""

from __future__ import annotations

import shlex
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from migrator.errors import HostError
from migrator.hosts.base import Output
from migrator.hosts.channel import Running, unless_gone
from migrator.hosts.script import SILENCE

LISTEN = "127.0.0.1"

_UP = "the way is open"
_FIRST_PORT = 20000  # below what systems give to outgoing connections (32768 on Linux, ip(7))
_PORTS = 10000
_OPENING = 60.0
_ENDING = 15.0
_LONGEST = 30 * 86400.0  # seconds; the script ends with its signs of life


class Holding(Protocol):
    """A host on which a script can be held."""

    def hold(self, script: str) -> Running:
        """Start a script that lives by the signs of life on its standard input."""


@dataclass(frozen=True, slots=True)
class PushPaths:
    """Where the old host keeps the key by which it reaches the new one, and what it knows of that one's key."""

    private: str
    public: str
    known_hosts: str
    control: str

    @classmethod
    def of(cls, name: str, home: str) -> PushPaths:
        """Given a migration's name and the home folder of the user that ssh logs in as, return the paths."""
        base = f"{home.rstrip('/')}/.ssh/migrate-{name}.push"
        return cls(base, f"{base}.pub", f"{base}.known_hosts", f"{base}.way")

    @property
    def files(self) -> tuple[str, ...]:
        """Return every file of the key on the old host."""
        return (self.private, self.public, self.known_hosts)


def push_port(name: str) -> int:
    """Given a migration's name, return the port on the new host's loopback: its key allows no other."""
    return _FIRST_PORT + zlib.crc32(name.encode()) % _PORTS


def restrictions(name: str, openssh: tuple[int, int]) -> str:
    """Return the options of authorized_keys with which a key of the old host may hold that port, and do nothing else.

    Given the version of the new host's OpenSSH: `restrict` is of 7.2, `permitlisten` of 7.8 (sshd(8)). Without the
    latter, the port may be another one of the loopback.
    """
    words = ["restrict", "port-forwarding"] if openssh >= (7, 2) else []
    words = words or ["no-pty", "no-agent-forwarding", "no-X11-forwarding"]
    words += [f'permitlisten="{LISTEN}:{push_port(name)}"'] if openssh >= (7, 8) else []
    # Else it could reach, from the new host, whatever that reaches.
    return ",".join([*words, f'permitopen="{LISTEN}:1"', 'command="/bin/false"'])


def hold_script(name: str, endpoint: tuple[str, int, str], sshd: tuple[str, int]) -> str:
    """Return the script for the old host that holds the port open while its input gives signs of life.

    Given the new host's name, port and user, and where the old host's own sshd listens. Only options that an OpenSSH
    of 2013 knows.
    """
    host, port, user = endpoint
    paths = PushPaths.of(name, "$home")
    address = f"[{sshd[0]}]" if ":" in sshd[0] else sshd[0]
    options = " ".join(
        f'-o "{option}"'
        for option in (
            *("BatchMode=yes", "IdentitiesOnly=yes", "ForwardAgent=no", "ExitOnForwardFailure=yes"),
            *("StrictHostKeyChecking=yes", "VerifyHostKeyDNS=no", "GlobalKnownHostsFile=/dev/null"),
            *(f"UserKnownHostsFile={paths.known_hosts}", "ConnectTimeout=15"),
            *("ServerAliveInterval=15", "ServerAliveCountMax=4"),
        )
    )
    destination = shlex.quote(f"{user}@{host}")
    return f"""exec 3<&0 </dev/null
home=$(getent passwd "${{SUDO_USER:-$(id -un)}}" | cut -d : -f 6)
control={paths.control}
said=$(mktemp) || exit 1
trap 'ssh -O exit -S "$control" {destination} >/dev/null 2>&1; rm -f "$said"' EXIT
trap 'exit 143' HUP TERM
ssh -O exit -S "$control" {destination} >/dev/null 2>&1
# The port may still be held by the one before, whose end the new host has not heard of.
for each in 1 2 3 4 5; do
    ssh -M -S "$control" -f -N {options} -i "{paths.private}" -p {port} \\
        -R {LISTEN}:{push_port(name)}:{address}:{sshd[1]} {destination} >/dev/null 2>"$said" 3<&- && break
    [ "$each" -lt 5 ] || {{ cat "$said" >&2; exit 1; }}
    sleep 1
done
echo '{_UP}'
while [ -n "$(timeout {SILENCE} dd bs=64 count=1 2>/dev/null <&3)" ]; do
    ssh -O check -S "$control" {destination} >/dev/null 2>&1 || exit 1
done
"""


@contextmanager
def pushed(old: Holding, script: str, name: str) -> Iterator[int]:
    """Hold the port open by the script, and give its number, which the migration's name tells.

    Raises HostError where the old host does not reach the new one, or may not hold a port there.
    """
    holder = _Holder(old.hold(script))
    try:
        holder.wait()
        yield push_port(name)
    finally:
        holder.end()


class _Holder:
    """The script on the old host, watched by a thread. Given the command that was started."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._told = threading.Event()
        self._up = False
        self._output = Output(-1, "", "")
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the port is open. Raises HostError where it is not."""
        self._told.wait(_OPENING)
        if not self._up:
            raise HostError(
                "the old host cannot hold a port of the new one for the copy",
                host="old",
                expected="ssh -R from the old host to the new one",
                seen=self._output.stderr.strip()[-500:] or "nothing",
                advice="see that the old host reaches the new one's ssh port, and that the sshd there allows it: "
                "AllowTcpForwarding yes (or remote) and no DisableForwarding in sshd_config; or use another sync.via",
            )

    def end(self) -> None:
        """End it, and wait a little until it has ended: the port can then be opened again."""
        self._running.end()
        self._thread.join(_ENDING)
        with unless_gone():
            self._running.channel.close()

    def _watch(self) -> None:
        try:
            self._output = self._running.finish(host="old", timeout=_LONGEST, on_line=self._hear)
        except HostError as error:
            self._output = Output(-1, "", error.seen or error.message)
        self._told.set()

    def _hear(self, line: str) -> None:
        if line == _UP:
            self._up = True
            self._told.set()
