"""A page is asked for at an address, and nothing is followed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from migrator.errors import MigrateError
from migrator.hosts.web import PlainWeb


class Redirecting(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        self.seen.append((self.headers["Host"], self.path))
        self.send_response(301)
        self.send_header("Location", "https://webmail2.example.test/")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    Redirecting.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), Redirecting)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_redirect_is_told_and_not_followed(port: int) -> None:
    found = PlainWeb().head(f"http://webmail.example.test:{port}/a?b", address="127.0.0.1")
    assert found == (301, "https://webmail2.example.test/")
    assert Redirecting.seen == [(f"webmail.example.test:{port}", "/a?b")]


def test_no_answer_and_no_url_are_errors(port: int) -> None:
    with pytest.raises(MigrateError, match="does not answer"):
        PlainWeb().head(f"https://webmail.example.test:{port}/", address="127.0.0.1")
    with pytest.raises(MigrateError, match="no URL"):
        PlainWeb().head("file:///etc/passwd", address="127.0.0.1")
