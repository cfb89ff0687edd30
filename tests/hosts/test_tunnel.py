"""Through the tunnel goes a reading rsync on the folder it is started in, and nothing else."""

import threading
import tracemalloc
from collections.abc import Sequence

import pytest

from migrator.errors import HostError
from migrator.hosts import tunnel
from migrator.hosts.tunnel import carry, lines_of, rehearse, server_words
from tests.fakes import FakeHost


@pytest.mark.parametrize(
    "asked",
    [
        "migrate-tree-0 --server --sender -nlHogDtpre.iLsfxCIvu --timeout=900 . .",
        "rsync --server --sender -vnlogDtprce.iLsfxCIvu --log-format=%i --numeric-ids . .",
    ],
)
def test_a_reading_server_is_run(asked: str) -> None:
    assert server_words(asked) == ("rsync", *asked.split()[1:])


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "rsync",
        "sh -c id . .",
        "rsync --server -nlogDtpre.iLsfxCIvu . .",
        "rsync --server --sender -nlogDtpre.iLsfxCIvu . /etc",
        "rsync --server --sender -nlogDtpre.iLsfxCIvu . . ; id",
        "rsync --server --sender --remove-source-files . .",
        "rsync --server --sender --log-file=/etc/passwd . .",
        "rsync --server --sender -nlLogDtpre.iLsfxCIvu . .",
        "rsync --server --sender -s . .",
        "rsync --server --sender $(id) . .",
        "rsync --server --sender --config=x . .",
    ],
)
def test_anything_else_is_refused(asked: str) -> None:
    with pytest.raises(HostError, match="something else than reading"):
        server_words(asked)


LISTED = "rsync --server --sender -lHogDtpRe.LsfxCIvu --timeout=900 --files-from=- --from0 . ."


def test_a_listing_server_is_run_only_where_files_are_listed() -> None:
    assert server_words(LISTED, host="old", listed=True) == ("rsync", *LISTED.split()[1:])
    with pytest.raises(HostError, match="the old host's rsync asks for something else"):
        server_words(LISTED, host="old")


@pytest.mark.parametrize(
    "word", ["--files-from=/etc/shadow", "--files-from=host:x", "--from0=x", "--remove-source-files", "-s"]
)
def test_a_listing_server_gets_no_other_word(word: str) -> None:
    with pytest.raises(HostError, match="something else than reading"):
        server_words(LISTED.replace("--from0", word), host="old", listed=True)


def test_only_dry_runs_are_rehearsed() -> None:
    with pytest.raises(ValueError, match="dry run"):
        rehearse(FakeHost("old"), FakeHost("new"), ["rsync", "-a"], source="/a/", target="/b/")  # type: ignore[arg-type]


WORDS = ("rsync", "-aHO", "--from0", "--files-from=/var/lib/migrate/x/home-0/list", "--ignore-existing")


@pytest.mark.parametrize(
    "words",
    [
        [word for word in WORDS if word != "--from0"],
        [word for word in WORDS if not word.startswith("--files-from")],
        [*WORDS[:3], "--files-from=new:/list"],
        *(
            [*WORDS, word]
            for word in ("--delete", "--delete-after", "--del", "--inplace", "--partial", "--append")
        ),
        *(
            [*WORDS, word]
            for word in ("--remove-source-files", "-e", "--rsh=sh", "--rsync-path=sh", "--backup")
        ),
    ],
)
def test_what_is_carried_is_listed_added_and_whole(words: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="carried"):
        carry(FakeHost("new"), FakeHost("old"), words, source="/a/", target="/b/", lock="")  # type: ignore[arg-type]


class Line:
    """A channel that says what it is given, and ends with a status."""

    def __init__(self, said: bytes = b"", errors: bytes = b"", status: int = 0) -> None:
        self._said, self._errors, self._status = said, errors, status
        self.got = b""
        self.closed = False
        self.status_event = threading.Event()
        self.status_event.set()

    def recv(self, size: int) -> bytes:
        piece, self._said = self._said[:size], self._said[size:]
        return piece

    def recv_stderr(self, size: int) -> bytes:
        piece, self._errors = self._errors[:size], self._errors[size:]
        return piece

    def sendall(self, piece: bytes) -> None:
        self.got += piece

    def shutdown_write(self) -> None:
        pass

    def settimeout(self, _seconds: float) -> None:
        pass

    def recv_exit_status(self) -> int:
        return self._status

    def close(self) -> None:
        self.closed = True


class LineHost:
    """A host whose next script talks over a line."""

    def __init__(self, name: str, line: Line) -> None:
        self.name, self.line = name, line
        self.scripts: list[str] = []

    def raw(self, script: str) -> Line:
        self.scripts.append(script)
        return self.line


def carried(receiving: Line, sending: Line) -> tuple[LineHost, LineHost, tuple[int, str, str]]:
    old, new = LineHost("old", receiving), LineHost("new", sending)
    output = carry(new, old, WORDS, source="/it's/", target="/b c/", lock="lock it\n")  # type: ignore[arg-type]
    return old, new, (output.status, output.stdout, output.stderr)


def test_the_old_host_receives_under_its_lock_and_the_new_one_reads() -> None:
    receiving, sending = (
        Line(LISTED.encode() + b"\nto the sender", b"done\n"),
        Line(b"the files", b"warning\n"),
    )
    old, new, output = carried(receiving, sending)
    assert output == (0, "done\n", "warning\n")
    assert old.scripts[0].startswith("lock it\n")
    assert old.scripts[0].count("'/b c/'") == 1
    assert " --blocking-io -e " in old.scripts[0]
    assert new.scripts == [f"cd -- '/it'\"'\"'s/' && exec {LISTED}"]
    assert receiving.closed
    assert sending.closed


def test_a_receiver_that_fails_before_it_asks_is_told() -> None:
    _, new, output = carried(Line(b"", b"no such list\n", status=11), Line())
    assert output == (11, "no such list\n", "")
    assert new.scripts == []


def test_what_is_too_much_to_keep_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "LONGEST_OUTPUT", 10)
    with pytest.raises(HostError, match="rsync said more than") as caught:
        carried(Line(LISTED.encode() + b"\n", b"x" * 100), Line())
    assert caught.value.host == "old"


class Talking:
    """A channel of an rsync that asks for nothing, says much on its standard error, and ends."""

    def __init__(self, pieces: int, piece: bytes) -> None:
        self.left, self.piece = pieces, piece

    def recv_stderr(self, _most: int) -> bytes:
        self.left -= 1
        return self.piece if self.left >= 0 else b""

    def recv(self, _most: int) -> bytes:
        return b""

    def recv_exit_status(self) -> int:
        return 23

    def settimeout(self, _seconds: float) -> None: ...

    def close(self) -> None: ...


class Receiver:
    """A host whose rsync is such a channel."""

    name = "new"

    def __init__(self, channel: Talking) -> None:
        self.channel = channel

    def raw(self, _script: str) -> Talking:
        return self.channel


def test_a_listing_of_any_length_is_read_line_by_line_and_only_its_end_is_in_memory() -> None:
    line = b">f+++++++++ 70 u/Maildir/new/1.host\n"
    channel = Talking(70 * 1024 * 1024 // (1800 * len(line)) + 1, line * 1800)
    expected = channel.left * 1800
    tracemalloc.start()
    given = rehearse(FakeHost("old"), Receiver(channel), ["rsync", "-n"], source="/a/", target="/b/")  # type: ignore[arg-type]
    count = sum(each == line.decode().rstrip("\n") for each in lines_of(given))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (given.status, count) == (23, expected)
    assert given.stdout.endswith("1.host\n")
    assert peak < 16 * 1024 * 1024
