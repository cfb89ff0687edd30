"""A mailbox is joined under its lock, and what a crash cut short is completed by the next try."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.hosts.script import inspecting
from migrator.mailstore.joining import Joined, parse_joined
from tests.hosts.shell import SHELLS, run
from tests.mailstore.mailboxes import COPY, OldHost, identities, message


@pytest.fixture
def host(tmp_path: Path) -> OldHost:
    return OldHost(tmp_path / "host")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[OldHost]:
    """Give a host all of which stands on a disk of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield OldHost(disk / "host")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


class TestLocks:
    def test_a_locked_mailbox_is_left_and_the_others_are_joined(self, host: OldHost) -> None:
        for name in ("user01", "user02"):
            host.mailbox(name, COPY)
            host.arrive(name, COPY + message(3))
        (host.tree / "user01.lock").write_text("0")
        assert host.join("user01", "user02") == Joined({1: 1}, [0], {})
        assert (host.tree / "user01").read_bytes() == COPY
        assert (host.tree / "user01.lock").read_text() == "0"

    def test_a_lock_that_goes_away_is_waited_for(self, host: OldHost) -> None:
        lock = host.mailbox("user01.lock", b"0")
        host.mailbox("user01", COPY)
        host.arrive("user01", COPY + message(3))
        release = f"(sleep 1; rm {lock}) &\n"
        assert host.join("user01", patience=20, before=release).added == {0: 1}
        assert (host.tree / "user01").read_bytes() == COPY + message(3)

    def test_a_lock_older_than_procmail_bears_is_broken(self, host: OldHost) -> None:
        lock = host.mailbox("user01.lock", b"0")
        os.utime(lock, (time.time() - 1100, time.time() - 1100))
        assert host.merge(COPY, COPY + message(3))[0].added == {0: 1}
        assert not lock.exists()

    def test_an_empty_lock_of_now_is_respected(self, host: OldHost) -> None:
        host.mailbox("user01.lock", b"")
        assert host.merge(COPY, COPY + message(3))[0].locked == [0]

    @pytest.mark.parametrize("how", ["fcntl.lockf", "fcntl.flock"])
    def test_a_lock_on_the_file_itself_is_respected(self, host: OldHost, how: str) -> None:
        mailbox = host.mailbox("user01", COPY)
        holder = (
            f"import fcntl, sys; f = open(sys.argv[1], 'r+'); {how}(f, fcntl.LOCK_EX)\n"
            "print(flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            ["python3", "-c", holder, str(mailbox)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            said = host.merge(None, COPY + message(3))[0]
            assert process.stdin is not None
            process.stdin.close()
        assert (said.locked, mailbox.read_bytes()) == ([0], COPY)
        assert not (host.tree / "user01.lock").exists()
        assert host.merge(None, COPY + message(3))[0].added == {0: 1}

    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_lock_that_is_a_link_to_no_regular_file_is_respected_and_not_written_through(
        self, host: OldHost, shell: str
    ) -> None:
        # Whoever owns the folder could have root write to a disk, or wait for ever at a pipe.
        host.mailbox("user01", COPY)
        pipe = host.root / "pipe"
        os.mkfifo(pipe)
        (host.tree / "user01.lock").symlink_to(pipe)
        reading = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        try:
            said, content = host.merge(None, COPY + message(3), shell=shell)
            with pytest.raises(BlockingIOError):
                os.read(reading, 100)
        finally:
            os.close(reading)
        assert (said.locked, content) == ([0], COPY)
        assert (host.tree / "user01.lock").is_symlink()

    def test_a_message_before_one_that_is_being_delivered_is_not_doubled(self, host: OldHost) -> None:
        # procmail writes the first byte of a message alone, and the rest when the clock has ticked.
        late = message(9)
        host.mailbox("user01.lock", b"0")
        mailbox = host.mailbox("user01", COPY + message(3) + late[:1])
        host.arrive("user01", COPY + message(3))
        rest = host.root / "rest"
        rest.write_bytes(late[1:])
        deliver = f"(sleep 1; cat {rest} >>{mailbox}; rm {mailbox}.lock) &\n"
        assert host.join("user01", patience=20, before=deliver).added == {0: 0}
        assert mailbox.read_bytes() == COPY + message(3) + late

    def test_a_mailbox_that_cannot_be_read_is_left_and_not_locked(self, host: OldHost) -> None:
        mailbox = host.mailbox("user01", COPY)
        host.arrive("user01", COPY + message(3))
        broken = "awk() { echo 'awk: no memory' >&2; return 2; }\n"
        said = host.join("user01", before=broken)
        assert "cannot be compared: awk: no memory" in said.refused[0]
        assert (mailbox.read_bytes(), sorted(host.tree.iterdir())) == (COPY, [mailbox])

    def test_mail_that_comes_while_a_lock_is_waited_for_stays(self, host: OldHost) -> None:
        lock = host.mailbox("user01.lock", b"0")
        mailbox = host.mailbox("user01", COPY)
        host.arrive("user01", COPY + message(3))
        late = host.root / "late"
        late.write_bytes(message(9))
        deliver = f"(sleep 1; cat {late} >>{mailbox}; rm {lock}) &\n"
        assert host.join("user01", patience=20, before=deliver).added == {0: 1}
        assert mailbox.read_bytes() == COPY + message(9) + message(3)


class TestCrashes:
    """The script is killed while it writes: a dd that writes some bytes of the mailbox, and takes its parents along."""

    ADDED = message(3) + message(4)

    def killed(self, host: OldHost, after: int) -> None:
        folder = host.root / "bin"
        folder.mkdir()
        (folder / "dd").write_text(
            '#!/bin/sh\ncase "$*" in *oflag=append*) ;; *) exec /bin/dd "$@" ;; esac\n'
            f'target=$1\nhead -c {after} >>"${{target#of=}}"\nkill -s KILL 0\n'
        )
        (folder / "dd").chmod(0o755)
        host.mailbox("user01", COPY)
        host.arrive("user01", COPY + self.ADDED)
        script = f"PATH={folder}:$PATH\n{host.script('user01')}"
        killed = subprocess.run(
            [SHELLS[0], "-s"], input=inspecting(script).encode(), start_new_session=True, check=False
        )
        assert killed.returncode == -9
        assert (host.tree / "user01").read_bytes() == COPY + self.ADDED[:after]
        assert (host.tree / "user01.lock").exists()

    @pytest.mark.parametrize("after", [0, 1, 40, len(message(3)), len(message(3)) + 7, len(ADDED)])
    def test_the_next_try_completes_what_was_cut_short(self, host: OldHost, after: int) -> None:
        self.killed(host, after)
        _, now = host.merge(None, COPY + self.ADDED)
        assert now == COPY + self.ADDED
        assert sorted(path.name for path in host.tree.iterdir()) == ["user01"]
        assert not host.home.exists()

    def test_a_mailbox_that_was_moved_away_meanwhile_is_made_anew(self, host: OldHost) -> None:
        self.killed(host, 40)
        (host.tree / "user01").unlink()
        _, now = host.merge(None, COPY + self.ADDED)
        assert now == COPY + self.ADDED

    @pytest.mark.parametrize("after", [0, len(message(3)), len(ADDED)])
    def test_mail_delivered_behind_whole_messages_stays(self, host: OldHost, after: int) -> None:
        self.killed(host, after)
        with (host.tree / "user01").open("ab") as mailbox:
            mailbox.write(message(9))
        _, now = host.merge(None, COPY + self.ADDED)
        assert identities(now) == identities(COPY + self.ADDED + message(9))
        assert now.startswith(COPY + self.ADDED[:after] + message(9))

    def test_mail_delivered_behind_half_a_message_is_told(self, host: OldHost) -> None:
        self.killed(host, 60)
        with (host.tree / "user01").open("ab") as mailbox:
            mailbox.write(message(9))
        said, now = host.merge(None, COPY + self.ADDED)
        assert "user01 has half a message before byte" in said.unsettled
        assert now == COPY + self.ADDED[:60] + message(9)

    @pytest.mark.parametrize("room", [0, 8, *range(60, 130, 6)])
    def test_a_disk_that_is_really_full_leaves_no_half_message_and_no_false_reason(
        self, small: OldHost, room: int
    ) -> None:
        # The mailbox and what is kept beside it stand on one disk, which fills up at another moment each time.
        mailbox = small.mailbox("user01", COPY)
        added = b"".join(message(number, body="x" * 60) for number in range(3, 200))
        small.arrive("user01", COPY + added)
        disk = os.statvfs(small.root)
        filler = small.root / "filler"
        filler.write_bytes(b"x" * (disk.f_bavail * disk.f_frsize - room * 1024))
        done = run(SHELLS[0], inspecting(small.script("user01")))
        said = parse_joined(done.stdout, 1)
        assert mailbox.read_bytes() == COPY
        assert said.refused.keys() == {0}
        assert "cannot be" in said.refused[0]
        assert not said.refused[0].rstrip().endswith(":")
        filler.unlink()
        assert small.merge(None, COPY + added)[1] == COPY + added

    def test_a_full_disk_is_told_and_the_mailbox_is_as_before(self, host: OldHost) -> None:
        folder = host.root / "bin"
        folder.mkdir()
        (folder / "dd").write_text(
            '#!/bin/sh\ncase "$*" in *oflag=append*) ;; *) exec /bin/dd "$@" ;; esac\n'
            "target=$1\nhead -c 30 >>\"${target#of=}\"\necho 'dd: No space left on device' >&2\nexit 1\n"
        )
        (folder / "dd").chmod(0o755)
        host.mailbox("user01", COPY)
        host.arrive("user01", COPY + self.ADDED)
        said = host.join("user01", before=f"PATH={folder}:$PATH\n")
        assert "No space left" in said.refused[0]
        assert (host.tree / "user01").read_bytes() == COPY
        assert host.merge(None, COPY + self.ADDED)[1] == COPY + self.ADDED
