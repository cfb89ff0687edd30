"""A file in a home folder is replaced with its user's rights, as a whole, and never over somebody's edit."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.hosts.as_user import CHANGED, as_user, write
from migrator.hosts.facts import Account

NOBODY = 65534


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Account]:
    """Yield an account with a home folder whose name needs quotes: of nobody where the tests run as root."""
    folder = tmp_path / "it's $(a) home"
    folder.mkdir()
    mine = os.getuid() or NOBODY
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        for above in (folder, *folder.parents):
            if above.stat().st_uid == 0 and above != Path("/") and "pytest" in str(above):
                above.chmod(0o755)
    yield Account("nobody", mine, os.getgid() or NOBODY, str(folder), "/usr/sbin/nologin")
    shutil.rmtree(folder)


def run(script: str) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh")
    assert shell
    # Without root nobody changes users, and the script runs as who runs the tests.
    if os.getuid() != 0:
        script = f'setpriv() {{ shift 3; "$@"; }}\n{script}'
    return subprocess.run([shell, "-c", script], capture_output=True, text=True, timeout=20)


def written(home: Account, before: bytes | None, after: bytes | None) -> subprocess.CompletedProcess[str]:
    return run(write(home, ".forward", before, after, mode=0o640, group=home.gid))


def test_a_file_is_made_replaced_and_removed_by_its_user(home: Account) -> None:
    path = Path(home.home) / ".forward"
    for before, after in ((None, b"a\xff\n"), (b"a\xff\n", b"b\n"), (b"b\n", b"")):
        done = written(home, before, after)
        assert (done.returncode, done.stderr) == (0, "")
        assert path.read_bytes() == after
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert path.stat().st_uid == home.uid
    assert written(home, b"", None).returncode == 0
    assert list(Path(home.home).iterdir()) == []
    assert written(home, b"", None).returncode == 0


def test_what_somebody_edited_since_is_left(home: Account) -> None:
    path = Path(home.home) / ".forward"
    path.write_bytes(b"other\n")
    done = written(home, b"read\n", b"wanted\n")
    assert done.returncode == CHANGED
    assert "changed by somebody else" in done.stderr
    assert path.read_bytes() == b"other\n"


def test_a_link_in_the_place_of_the_file_is_never_followed(home: Account, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"read\n")
    (Path(home.home) / ".forward").symlink_to(elsewhere)
    assert written(home, b"read\n", b"wanted\n").returncode == CHANGED
    assert elsewhere.read_bytes() == b"read\n"


def test_the_script_runs_with_the_rights_of_the_user_alone(home: Account) -> None:
    done = run(as_user(home, "id -u; id -G"))
    assert done.stdout.split()[0] == str(home.uid)
    assert done.stdout.split()[1:] == [str(home.gid)] or os.getuid() != 0
