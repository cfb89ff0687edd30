"""A mail host over ssh: one connection, opened when it is first needed, for all that is read and done."""

from __future__ import annotations

import secrets
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from migrator.errors import CommandFailed, HostError
from migrator.hosts import script as scripts
from migrator.hosts.allowed import check_inspecting
from migrator.hosts.base import Output
from migrator.hosts.channel import LostError, Running, opened
from migrator.hosts.connection import Opener
from migrator.hosts.framing import Frame
from migrator.hosts.known_hosts import display_name
from migrator.hosts.shells import Shells
from migrator.hosts.sudoers import refusal
from migrator.plan import HostPlan

if TYPE_CHECKING:
    from paramiko import Channel, Transport

READ_TIMEOUT = 180.0
"""How long a look at a host may take, in seconds: more than a Sendmail waits for its own name."""


RECENT = 2.0
"""How long after a command a connection counts as whole, in seconds: a change then needs no channel of its own."""


class SshHost:
    """One mail host of the plan, as Reader and as Host. Several threads may use it at once.

    `name` is "old" or "new", `migration` the plan's name, which the lock on the host is named after.
    """

    def __init__(
        self,
        name: str,
        plan: HostPlan,
        migration: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._sudo = plan.sudo
        self._migration = migration
        self._opener = Opener(name, plan, sleep=sleep)
        self._transport: Transport | None = None
        self._opening = threading.Lock()
        self._unreachable: HostError | None = None  # what the last attempt to open it failed with
        self._heard = -RECENT  # by the monotonic clock, when a command ended last
        self._greeting = ""
        self._shells = Shells(self._shell("-s"))

    @property
    def name(self) -> str:
        """Return "old" or "new"."""
        return self._name

    @property
    def greeting(self) -> str:
        """Return what the login shell printed before a script, "" for nothing: it is cut off here, and nowhere else."""
        return self._greeting

    def read(self, *argv: str, stdin: str = "") -> Output:
        """Run an inspecting program; see Reader."""
        check_inspecting(argv)
        return self._look(scripts.command(argv, stdin))

    def read_file(self, path: str) -> str | None:
        """Return a file's text; see Reader."""
        return self.read_files([path])[path]

    def read_files(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        """Return the texts of several files in one round trip; see Reader.

        Raises CommandFailed for one that is there and cannot be read.
        """
        mark = f"migrate-file-{secrets.token_hex(16)}"
        reading = "".join(_reading(path, mark) for path in paths)
        output = self._look(scripts.inspecting("exec 3>&1\n" + reading))
        parts = output.stdout.split(f"\n{mark} ")
        if len(parts) != len(paths) + 1:
            raise CommandFailed(
                "files could not be read",
                status=output.status,
                host=self._name,
                seen=output.stderr.strip()[-300:],
            )
        texts: dict[str, str | None] = {}
        for index, path in enumerate(paths):
            body = parts[index] if index == 0 else parts[index].partition("\n")[2]
            texts[path] = self._file(path, body, parts[index + 1].partition("\n")[0])
        return texts

    def inspect(self, script: str, *, timeout: float | None = None) -> Output:
        """Run one of the project's own inspecting scripts; see Reader."""
        return self._look(scripts.inspecting(script), timeout=timeout or READ_TIMEOUT)

    def perform(self, script: str, *, timeout: float, on_line: Callable[[str], None] | None = None) -> Output:
        """Run a script whole and alone; see Host.

        With `on_line` it is a streaming one: its lines come at once, and it ends with the connection.
        """
        wrap = scripts.streaming if on_line else scripts.whole
        text, beat = wrap(script, self._migration), on_line is not None
        # Nobody could tell whether a shell that was lost with its connection had begun, so it must have been heard of.
        recent = time.monotonic() - self._heard < RECENT
        waiting = self._shells.take(self._connected()) if recent else None
        running = self._on(waiting, text, beat=beat) if waiting else self._start(text, beat=beat)
        output = running.finish(host=self._name, timeout=timeout, on_line=on_line)
        return self._checked(output, running)

    def raw(self, script: str) -> Channel:
        """Start a script whose streams the caller serves, and return its channel; it may end with the connection.

        What its login shell prints is read before. Raises HostError where the host cannot be reached, or its login
        shell does not hand the script over.
        """
        import paramiko

        try:
            channel = self._connected().open_session(timeout=20)
            # Not by an argument: a login shell that is no sh reads quotes, line feeds and backslashes its own way.
            channel.exec_command(self._shell("-s"))
            begun, before = opened(channel, "{\n" + scripts.PRELUDE + script + "\nexit\n}\n")
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _broke(self._name, error) from error
        if not begun:
            raise self._not_begun(before)
        return channel

    def hold(self, script: str) -> Running:
        """Start a script that lives by the signs of life on its standard input; it holds no lock, and changes nothing.

        Raises HostError where the host cannot be reached.
        """
        return self._start("{\n" + scripts.PRELUDE + script + "\nexit\n}\n", beat=True)

    def transport(self) -> Transport:
        """Return the open connection itself. Raises HostError where the host cannot be reached."""
        return self._connected()

    def endpoint(self) -> tuple[str, int, str]:
        """Return host, port and user as ssh_config makes them of the plan; nothing is contacted."""
        connection = self._opener.prepare()
        return connection.host, int(connection.port), connection.user

    def host_key_line(self, address: str, port: int) -> str:
        """Return the verified host key as a line of known_hosts, for the address and port others use."""
        key = self._connected().get_remote_server_key()
        return f"{display_name(address, port)} {key.get_name()} {key.get_base64()}\n"

    def close(self) -> None:
        """End the connection."""
        with self._opening:
            if self._transport is not None:
                self._transport.close()
                self._transport = None

    def _look(self, text: str, *, timeout: float = READ_TIMEOUT) -> Output:
        waiting = self._shells.take(self._connected())
        running = self._on(waiting, text) if waiting else self._start(text)
        try:
            output = running.finish(host=self._name, timeout=timeout)
        except LostError:
            # Looking bears repetition, so a connection that broke meanwhile is no reason to fail.
            running = self._start(text)
            output = running.finish(host=self._name, timeout=timeout)
        return self._checked(output, running)

    def _start(self, text: str, *, beat: bool = False) -> Running:
        # By standard input, because an argument may not be longer than 128 kB and the login shell may be any.
        return self._open_channel(self._shell("-s"), _bytes(text), beat=beat)

    def _shell(self, arguments: str) -> str:
        return f"{'sudo -n ' if self._sudo else ''}sh {arguments}"

    def _open_channel(self, command: str, stdin: bytes, *, beat: bool) -> Running:
        import paramiko

        for last in (False, True):
            try:
                return Running.start(self._connected(), command, stdin, beat=beat, frame=Frame())
            except (OSError, EOFError, paramiko.SSHException) as error:
                # Nothing has started yet, so a new connection may be tried whatever the command does.
                self.close()
                if last:
                    raise _broke(self._name, error) from error
        raise AssertionError("the loop returns or raises")

    def _connected(self) -> Transport:
        unreachable = self._unreachable
        with self._opening:
            if self._transport is None or not self._transport.is_active():
                # Looks at once do not try in turn, each for as long as the first one did.
                if self._unreachable is not None and self._unreachable is not unreachable:
                    raise self._unreachable
                try:
                    self._transport = self._opener.open()
                except HostError as error:
                    self._unreachable = error
                    raise
            return self._transport

    def _on(self, waiting: Channel, text: str, *, beat: bool = False) -> Running:
        return Running(waiting, _bytes(text), beat=beat, frame=Frame())

    def _checked(self, output: Output, running: Running) -> Output:
        self._heard = time.monotonic()
        self._greeting = running.greeting or self._greeting
        refused = refusal(output.status, output.stderr) if self._sudo else ""
        if refused or not running.begun:
            raise self._not_begun(output, refused)
        return output

    def _not_begun(self, output: Output, refused: str = "") -> HostError:
        """Return the error for a script that no shell began with: nothing of it was done."""
        seen = refused or (output.stderr + output.stdout).strip()[-500:]
        # Whatever words sudo has for it: a shell that was not begun with was not let in.
        if refused or (self._sudo and output.status in (1, 126, 127) and output.stderr.strip()):
            return HostError(
                f"sudo does not let the user act as root on the {self._name} host without a password",
                host=self._name,
                expected="`sudo -n sh -s` runs",
                seen=seen,
                advice="allow it for the time of the migration with a file in /etc/sudoers.d, which "
                "`migrate check PLAN --sudoers` prints (NOPASSWD), or log in as root",
            )
        return HostError(
            f"the login shell of the {self._name} host does not run what ssh hands it",
            host=self._name,
            expected="`sh -s` begins with its standard input",
            seen=seen or f"nothing, and exit status {output.status}",
            advice="give that user a login shell that runs commands (chsh -s /bin/sh USER), and let its start-up files "
            "(.bashrc, .cshrc, .zshenv, config.fish) ask, start and read nothing where no terminal is",
        )

    def _file(self, path: str, text: str, trailer: str) -> str | None:
        status, _, message = trailer.partition(" ")
        if status == "0":
            return text
        if message.endswith((": No such file or directory", ": Not a directory")):
            return None
        raise CommandFailed(
            f"{path} cannot be read", status=int(status), host=self._name, seen=message or f"status {status}"
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _broke(name: str, error: Exception) -> HostError:
    return HostError(
        "the connection broke before a command could start",
        host=name,
        expected="an ssh connection that takes commands",
        seen=str(error) or type(error).__name__,
        advice="when the host answers, run the same command again: it goes on from there",
    )


def _reading(path: str, mark: str) -> str:
    return (
        f"error=$(cat -- {shlex.quote(path)} 2>&1 >&3); status=$?\n"
        f"error=$(printf '%s' \"$error\" | tail -n 1)\n"
        f"printf '\\n%s %s %s\\n' {mark} $status \"$error\"\n"
    )
