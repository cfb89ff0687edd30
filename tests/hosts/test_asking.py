"""What a port 25 would refuse, asked by bash from a host, against a server in this process."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator

import pytest

from migrator.hosts import asking


class Server(socketserver.ThreadingTCPServer):
    """Counts sessions; knows everybody but `no…`, and puts `later…` off."""

    allow_reuse_address = True
    daemon_threads = True
    sessions = 0
    recipients_each = 1000
    refusals_each = 1000


class Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Server)
        self.server.sessions += 1
        taken = refused = 0
        sender = ""
        self.wfile.write(b"220-hello\r\n220 mail.example.test\r\n")
        for raw in self.rfile:
            line = raw.decode().strip()
            if line.startswith("MAIL"):
                sender = line
            if line.startswith("EHLO"):
                answer = "250-mail.example.test\r\n250-SIZE 1000000\r\n250 HELP"
            elif line.startswith("RCPT") and refused >= self.server.refusals_each:
                self.wfile.write(b"421 4.7.0 Too many bad recipients; closing connection\r\n")
                return
            elif line.startswith("RCPT") and taken >= self.server.recipients_each:
                answer = "452 4.5.3 Too many recipients"
            elif line.startswith("MAIL FROM:<bad"):
                answer = "553 5.1.8 Domain of sender address does not exist"
            elif line.startswith("MAIL FROM:<slow"):
                answer = "451 4.1.8 Domain of sender address does not resolve"
            elif line.startswith("RCPT TO:<for-some") and sender == "MAIL FROM:<other@x.test>":
                answer = "550 5.7.1 Access denied"
            elif line.lower().startswith("rcpt to:<no"):
                refused += 1
                answer = "550 5.1.1 User unknown"
            elif line.startswith("RCPT TO:<later"):
                answer = "450 4.2.1 later"
            elif line.startswith("RCPT TO:<end"):
                answer = "421 4.3.2 too many"
            else:
                taken += line.startswith("RCPT")
                answer = "250 2.0.0 ok"
            self.wfile.write(f"{answer}\r\n".encode())
            if line == "QUIT":
                return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Session) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def ask(server: Server, *recipients: str) -> asking.Refusals:
    port = server.server_address[1]
    script = asking.script("127.0.0.1", recipients, name="migrate.example.test", port=int(port))
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0
    return asking.parse(done.stdout)


def test_many_are_asked_for_in_few_sessions_and_only_refusals_for_good_count(server: Server) -> None:
    many = [f"user{number}@example.test" for number in range(120)]
    found = ask(server, *many, "nobody@example.test", "later@example.test", "No-one@example.test")
    assert found.largest == 1000000
    assert found.recipients == {
        "nobody@example.test": "550 5.1.1 User unknown",
        "no-one@example.test": "550 5.1.1 User unknown",
    }
    assert server.sessions == 3


def test_a_server_that_ends_or_is_not_there_gives_no_verdict(server: Server) -> None:
    assert ask(server, "end@example.test", "nobody@example.test").recipients == {}
    script = asking.script("127.0.0.1", ["a@b.test"], name="x.test", port=1)
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_server_that_takes_few_at_once_is_asked_about_the_rest_in_sessions_more(server: Server) -> None:
    server.recipients_each, server.refusals_each = 3, 2
    many = [f"user{number}@example.test" for number in range(7)]
    found = ask(server, *many, *(f"no{number}@example.test" for number in range(5)))
    assert sorted(found.recipients) == [f"no{number}@example.test" for number in range(5)]
    server.recipients_each = 0
    before = server.sessions
    assert ask(server, *many).recipients == {}
    assert server.sessions - before == len(many)


def test_some_senders_are_asked_with_as_well_and_each_is_told_by_itself(server: Server) -> None:
    senders = {
        "bad@nowhere.test": ["a@example.test", "b@example.test"],
        "slow@nowhere.test": ["a@example.test"],
        "Other@x.test".lower(): ["for-some@example.test", "a@example.test"],
        **{f"s{number}@x.test": ["a@example.test"] for number in range(30)},
    }
    script = asking.script(
        "127.0.0.1",
        ["a@example.test", "for-some@example.test", "no@example.test"],
        name="migrate.example.test",
        port=int(server.server_address[1]),
        senders=senders,
    )
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=90)
    found = asking.parse(done.stdout)
    assert found.recipients == {"no@example.test": "550 5.1.1 User unknown"}
    assert found.taken == {"a@example.test", "for-some@example.test"}
    assert found.senders == {"bad@nowhere.test": "553 5.1.8 Domain of sender address does not exist"}
    assert found.by_sender == {("other@x.test", "for-some@example.test"): "550 5.7.1 Access denied"}
    assert ("other@x.test", "a@example.test") in found.taken_from
    assert ("slow@nowhere.test", "a@example.test") not in found.taken_from
    assert server.sessions == 1 + asking.SENDERS


def test_another_address_is_asked_where_nobody_answers_at_the_first(server: Server) -> None:
    script = asking.script(
        "127.0.0.2",
        ["no@example.test"],
        name="x.test",
        port=int(server.server_address[1]),
        others=["127.0.0.1"],
    )
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=90)
    assert asking.parse(done.stdout).recipients == {"no@example.test": "550 5.1.1 User unknown"}
