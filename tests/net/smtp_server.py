"""A small real SMTP server on loopback that follows a script, with the faults that real ones have."""

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Self

Script = Callable[[socket.socket, "SmtpServer"], None]

SENDMAIL = {
    "banner": b"220 mail.example.test ESMTP Sendmail 8.17.1.9/8.17.1.9\r\n",
    "EHLO": b"250-mail.example.test Hello\r\n250-PIPELINING\r\n250 HELP\r\n",
    "HELO": b"250 mail.example.test Hello\r\n",
    "MAIL": b"250 2.1.0 Sender ok\r\n",
    "RCPT": b"250 2.1.5 Recipient ok\r\n",
    "DATA": b'354 Enter mail, end with "." on a line by itself\r\n',
    "message": b"250 2.0.0 5AT2U1aB000123 Message accepted for delivery\r\n",
    "RSET": b"250 2.0.0 Reset state\r\n",
    "QUIT": b"221 2.0.0 mail.example.test closing connection\r\n",
}


class SmtpServer:
    """Answers each command from a table, or does what `script` says with the connection. A context manager."""

    def __init__(
        self,
        replies: Mapping[str, bytes] | None = None,
        *,
        script: Script | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.replies = {**SENDMAIL, **(replies or {})}
        self.script = script or SmtpServer.follow
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.over = threading.Event()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.address = address
        self.port: int = self._listener.getsockname()[1]
        self.peer = ""

    @staticmethod
    def follow(connection: socket.socket, server: "SmtpServer") -> None:
        """Behave; an empty reply in the table closes the connection."""
        lines = connection.makefile("rb")
        connection.sendall(server.replies["banner"])
        for line in lines:
            command = line.decode("latin-1").strip()
            server.commands.append(command)
            verb = command.split(" ")[0]
            reply = server.replies.get(verb, b"500 5.5.1 Command unrecognized\r\n")
            if not reply:
                return
            connection.sendall(reply)
            if verb == "QUIT":
                return
            if verb == "DATA" and reply.startswith(b"354"):
                server.messages.append(b"".join(iter(lines.readline, b".\r\n")))
                if not server.replies["message"]:
                    return
                connection.sendall(server.replies["message"])

    def _serve(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            self.peer = peer[0]
            with connection:
                try:
                    self.script(connection, self)
                except OSError:
                    continue

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
