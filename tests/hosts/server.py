"""A small real ssh server in the test process: it runs what it is told with the shell of this machine."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from pathlib import Path

import paramiko

from tests.hosts.forwarding import Forwarding


class Door(paramiko.ServerInterface):
    """Lets the user "mover" in with one key, runs commands, and forwards where the server says so."""

    def __init__(self, server: Server, transport: paramiko.Transport) -> None:
        self._server = server
        self._forwarding = Forwarding(transport)

    def check_port_forward_request(self, address: str, port: int) -> int:
        return self._forwarding.listen(address, port) if self._server.forwards else 0

    def cancel_port_forward_request(self, address: str, port: int) -> None:
        self._forwarding.close()

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if not self._server.forwards:
            return paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return self._forwarding.connect(chanid, destination)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._server.slow_logins:
            self._server.slow_logins -= 1
            self._server.awake.wait(10)
        welcome = username == "mover" and key.get_base64() == self._server.user_key.get_base64()
        return paramiko.common.AUTH_SUCCESSFUL if welcome else paramiko.common.AUTH_FAILED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.commands.append(command.decode())
        self._server.start(channel, command)
        return True


class Server:
    """Listens on a port of the loopback, with a folder that goes before the PATH of what it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_key = paramiko.ECDSAKey.generate()
        self.user_key = paramiko.ECDSAKey.generate(bits=256)
        self.key_file = folder / "id"
        self.user_key.write_private_key_file(str(self.key_file))
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.commands: list[str] = []
        self.connections = 0
        self.slow_logins = 0
        self.forwards = False
        self.login_shell: tuple[str, ...] = ("sh", "-c")
        self.environment: dict[str, str] = {}
        self.awake = threading.Event()
        self._transports: list[paramiko.Transport] = []
        self._runs: list[tuple[threading.Thread, subprocess.Popen[bytes]]] = []
        self.port = 0
        self.open()

    def open(self) -> None:
        """Listen; after a `close` on the same port again, as a host does that has rebooted."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key.get_name()} {self.host_key.get_base64()}\n"

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}")
        (self.bin / name).chmod(0o755)

    def hang_up(self) -> None:
        """Break every connection."""
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        # A close alone leaves the port open for as long as somebody waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.awake.set()
        self.hang_up()
        for thread, process in self._runs:
            process.kill()
            thread.join(10)

    def start(self, channel: paramiko.Channel, command: bytes) -> None:
        environment = {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TMPDIR": str(self.folder),
            "SSH_CONNECTION": f"192.0.2.1 50000 127.0.0.1 {self.port}",
            **self.environment,
        }
        process = subprocess.Popen(
            [*self.login_shell, command], stdin=-1, stdout=-1, stderr=-1, env=environment
        )
        thread = threading.Thread(target=_serve_process, args=(channel, process), daemon=True)
        thread.start()  # before it is known to `close`, which joins it
        self._runs.append((thread, process))

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.host_key)
            self._transports.append(transport)
            try:
                transport.start_server(server=Door(self, transport))
            except (paramiko.SSHException, EOFError, OSError):
                continue  # a client that hangs up early ends its own connection alone


def _serve_process(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin and process.stdout and process.stderr
    feeding = threading.Thread(target=_feed, args=(channel, process), daemon=True)
    errors = threading.Thread(target=_drain, args=(process.stderr, channel.sendall_stderr), daemon=True)
    feeding.start()
    errors.start()
    _drain(process.stdout, channel.sendall)
    errors.join(10)
    status = process.wait()
    with contextlib.suppress(OSError, EOFError):
        channel.send_exit_status(status % 256)
        channel.close()
    feeding.join(10)
    with contextlib.suppress(OSError):
        process.stdin.close()


def _feed(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    try:
        while piece := channel.recv(65536):
            process.stdin.write(piece)
            process.stdin.flush()
        process.stdin.close()
    except (OSError, EOFError, ValueError):
        return


def _drain(stream: object, send: object) -> None:
    with stream:  # type: ignore[attr-defined]
        try:
            while piece := stream.read1(65536):  # type: ignore[attr-defined]
                send(piece)  # type: ignore[operator]
        except (OSError, EOFError):
            return
