"""A provider's server on the test machine: STARTTLS, AUTH PLAIN, and a note of who came and what was sent."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

NAME = "senders.outside.test"
"""The name of the test machine in the lab's DNS."""


@dataclass
class Relay:
    """Listens on an address, with a certificate that it makes in `folder`. A context manager."""

    address: str
    folder: Path
    user: str
    password: str
    logins: list[tuple[bool, str, str]] = field(default_factory=list)  # over TLS, user, password
    senders: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate(self.folder / "relay.pem"))
        self._listener = socket.create_server((self.address, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            _say(connection, f"220 {NAME} ESMTP")
            while self._dialogue(connection):
                connection = self._tls.wrap_socket(connection, server_side=True)
        except OSError:
            return
        finally:
            connection.close()

    def _dialogue(self, connection: socket.socket) -> bool:
        """Answer until the client leaves, and return whether it asked for TLS."""
        secure, allowed = isinstance(connection, ssl.SSLSocket), False
        with connection.makefile("rb", buffering=0) as lines:
            while line := lines.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                match verb.upper():
                    case "STARTTLS":
                        _say(connection, "220 go on")
                        return True
                    case "EHLO":
                        _say(
                            connection, f"250-{NAME}", *([] if secure else ["250-STARTTLS"]), "250 AUTH PLAIN"
                        )
                    case "AUTH":
                        allowed = self._login(rest, secure=secure)
                        _say(connection, "235 2.7.0 welcome" if allowed else "535 5.7.8 no")
                    case "MAIL" if not allowed:
                        _say(connection, "530 5.7.0 log in first")
                    case "MAIL":
                        self.senders.append(rest)
                        _say(connection, "250 2.1.0 ok")
                    case "DATA":
                        _say(connection, "354 go on")
                        self.messages.append(b"".join(iter(lines.readline, b".\r\n")).decode())
                        _say(connection, "250 2.0.0 taken")
                    case "QUIT":
                        _say(connection, "221 2.0.0 bye")
                        return False
                    case _:
                        _say(connection, "250 2.0.0 ok")
        return False

    def _login(self, rest: str, *, secure: bool) -> bool:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.logins.append((secure, user, password))
        return (user, password) == (self.user, self.password)


def _say(connection: socket.socket, *lines: str) -> None:
    connection.sendall("".join(f"{line}\r\n" for line in lines).encode())


def certificate(path: Path) -> Path:
    """Write a key and a certificate of its own for NAME to a file, and return it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    certificate = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(encoding))
    return path
