"""The way from the new host to the old one: one ssh connection with the run's key, which all that follows goes through.

Everything here is sh text for the new host. It begins with `open_script`, which sets the variables that the other
texts use, and opens the connection that is shared (ssh_config(5), ControlMaster) where none is alive. Where it cannot
be shared, or is gone meanwhile, ssh opens one of its own each time: slower, not worse.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from migrator.mailstore import arrivals
from migrator.mailstore.access import KNOCK, TREE, KeyPaths, ssh_options

PERSIST = 600
"""How long the shared connection stays when nothing uses it, in seconds."""

FAST_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""What goes before the usual ciphers (ssh_config(5), Ciphers) where both processors have instructions for AES."""

LOOPBACK = "127.0.0.1"

_HOME = 'home=$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d : -f 6)\n'
_WORD = re.compile(r"\$?[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Way:
    """How the new host reaches the old one.

    `name` is the migration's, `host`, `port` and `user` are the old host's as ssh reaches it. `loopback` is a port of
    the new host's loopback that leads to the old host's sshd; 0: the new host reaches that by itself. `state` is for
    tests.
    """

    name: str
    host: str
    port: int
    user: str
    loopback: int = 0
    state: str = arrivals.STATE

    @classmethod
    def to(cls, name: str, endpoint: tuple[str, int, str], *, loopback: int = 0) -> Way:
        """Return the way, given the migration's name, and the old host's name, port and user."""
        host, port, user = endpoint
        return cls(name, host, port, user, loopback)

    @property
    def control(self) -> str:
        """Return the path of the shared connection's socket: short enough for one (unix(7)), and root's alone."""
        return f"{arrivals.folder(self.name, self.state)}/way"

    @property
    def destination(self) -> str:
        """Return the old host as ssh is told it, quoted for sh."""
        return shlex.quote(f"{self.user}@{LOOPBACK if self.loopback else self.host}")

    @property
    def source(self) -> str:
        """Return the old host as rsync is told it, quoted for sh: the folder is the wrapper's to choose."""
        host = LOOPBACK if self.loopback else self.host
        return shlex.quote(f"{self.user}@{f'[{host}]' if ':' in host else host}:.")

    def open_script(self) -> str:
        """Return the sh text that every script starts with; it prints nothing, and does not fail.

        The connection outlives the script: it keeps neither its streams, nor its lock (descriptor 9), nor its session.
        """
        keys, control = self._keys, shlex.quote(self.control)
        folder = shlex.quote(arrivals.folder(self.name, self.state))
        unknown = f"{folder}/ciphers-unknown"
        # Of options that contradict each other ssh takes the first.
        master = f"-f -N -o ControlMaster=yes -o ControlPersist={PERSIST}"
        return (
            f'{_HOME}ciphers=$(cat "{keys.ciphers}" 2>/dev/null) || ciphers=\n'
            # An older ssh ends where it does not know one of them, or how to put them before the others.
            f"if [ -e {unknown} ]; then ciphers=; fi\n"
            f"if ! ssh -O check -o ControlPath={control} {self.destination} </dev/null >/dev/null 2>&1; then\n"
            '    if ! ssh -G -o Ciphers="$ciphers" localhost >/dev/null 2>&1 </dev/null; then\n'
            f"        ciphers=\n        (umask 077; mkdir -p {folder} && : >{unknown})\n    fi\n"
            f"    rm -f {control}\n    (\n        umask 077\n        mkdir -p {folder}\n        cd / || exit 1\n"
            f"        exec setsid {self._words(self.control, master)} {self.destination}\n"
            "    ) </dev/null >/dev/null 2>&1 9>&- || :\nfi\n"
        )

    def close_script(self) -> str:
        """Return the sh text that ends the shared connection, where there is one; it needs no other text before it."""
        control = shlex.quote(self.control)
        return (
            f"ssh -O exit -o ControlPath={control} {self.destination} </dev/null >/dev/null 2>&1 || :\n"
            f"rm -f {control}\n"
        )

    def knock_script(self) -> str:
        """Return the inspecting script that knocks, on a connection of its own; see access.HELLO for the answer."""
        return f"{_HOME}ciphers=\n{self._words('none')} {self.destination} {KNOCK} </dev/null\n"

    def remote(self, *words: str) -> str:
        """Return the sh command that asks the old host's wrapper for something; its standard input is the caller's.

        Given words of letters, digits, `_` and `-`, or variables of the script (`$token`) that hold such words. Raises
        ValueError for others.
        """
        if not words or not all(map(_WORD.fullmatch, words)):
            raise ValueError(f"no words for the wrapper: {words!r}")
        return f'{self._words(self.control)} {self.destination} "{" ".join(words)}"'

    def rsync_words(self, index: int | str, *, shared: bool = True) -> str:
        """Return, as sh text, the options by which rsync goes to a tree of the plan: its number, or a variable.

        Without `shared` it gets a connection of its own: for streams beside each other, as one ssh encrypts on one
        processor. The caller sets RSYNC_PROTECT_ARGS=0, and names `source` as where it copies from.
        """
        control = self.control if shared else "none"
        return f'-e "{self._transport(control)}" --rsync-path={TREE}{index}'

    @property
    def _keys(self) -> KeyPaths:
        return KeyPaths.of(self.name, "$home")

    def _options(self, control: str) -> tuple[str, ...]:
        alias = self.host.lower() if self.port == 22 else f"[{self.host.lower()}]:{self.port}"
        # What is known of the old host stands under the name by which it is reached elsewhere (sshd(8)).
        behind = (f"HostKeyAlias={alias}", "CheckHostIP=no") if self.loopback else ()
        return (*ssh_options(self._keys, control), *behind)

    def _transport(self, control: str) -> str:
        # rsync parts this at blanks itself; a shell has read it before, inside double quotes.
        options = " ".join(f"-o {option}" for option in self._options(control))
        ciphers = "${ciphers:+-o Ciphers=$ciphers}"
        return f"ssh -i {self._keys.private} {options} {ciphers} -p {self.loopback or self.port}"

    def _words(self, control: str, master: str = "") -> str:
        options = " ".join(filter(None, (master, *(f'-o "{each}"' for each in self._options(control)))))
        ciphers = '${ciphers:+-o "Ciphers=$ciphers"}'
        return f'ssh {options} -i "{self._keys.private}" {ciphers} -p {self.loopback or self.port}'
