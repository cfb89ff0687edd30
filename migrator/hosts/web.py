"""One look at a web server: the status and the Location of a page, from one address, following nothing."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from migrator.errors import MigrateError

TIMEOUT = 15.0
"""How long each answer may take, in seconds."""


class PlainWeb:
    """What a step may ask of a web server; see Web."""

    def head(self, url: str, *, address: str) -> tuple[int, str]:
        """Return the status and the Location of a GET of `url` sent to `address`, following nothing.

        The certificate is checked against the name in the URL. Raises MigrateError where there is no answer.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MigrateError("no URL of a web page", seen=url)
        connection = _Pinned(parts.hostname, parts.port, address, secure=parts.scheme == "https")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            return response.status, response.getheader("Location", "")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise MigrateError(
                f"the web server at {address} does not answer for {url}",
                expected="an HTTP answer",
                seen=str(error) or type(error).__name__,
                advice="see that the web server runs there and serves this name",
            ) from error
        finally:
            connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to a given address that speaks to it as the named host."""

    def __init__(self, host: str, port: int | None, address: str, *, secure: bool) -> None:
        super().__init__(host, port or (443 if secure else 80), timeout=TIMEOUT)
        self.default_port = 443 if secure else 80
        self._address = address
        self._secure = secure

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), TIMEOUT)
        self.sock = plain
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
