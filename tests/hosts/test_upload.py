"""Files change together or not at all, whatever stands in them and whatever they are called."""

import os
import stat
from pathlib import Path

import pytest

from migrator.change import FileEdit, Upload
from migrator.hosts.script import whole
from migrator.hosts.upload import CHANGED, upload_script
from tests.hosts.shell import each_shell, run

HOSTILE = [
    "plain",
    "two words",
    "quote's",
    'double"quote',
    "-rf",
    "$(touch pwned)",
    "line\nfeed",
    "umlaut-ü",
    "*",
]


def edit(path: Path, before: bytes | None, after: bytes | None, *, check: bool = True) -> FileEdit:
    owner = f"{os.getuid()}:{os.getgid()}"
    return FileEdit(str(path), before, after, mode="0640", owner=owner, check=check)


@each_shell
@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_is_written_under_any_name(shell: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    content = b"\0\xff$(id)\n`id`\n'END_'\n" * 3
    result = run(shell, upload_script(Upload("old", (edit(path, None, content),))), temporary=tmp_path / "t")
    assert (result.returncode, result.stderr) == (0, "")
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, "t"])
    assert not list((tmp_path / "t").iterdir())


@each_shell
def test_a_file_keeps_its_mode_and_a_link_stays_a_link(shell: str, tmp_path: Path) -> None:
    path, link = tmp_path / "aliases", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o604)
    link.symlink_to("aliases")
    result = run(shell, upload_script(Upload("old", (edit(link, b"old", b"new"),))))
    assert result.returncode == 0
    assert link.is_symlink()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o604)


@each_shell
def test_a_file_that_somebody_else_edited_stops_everything(shell: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.write_bytes(b"by somebody else")
    upload = Upload("old", (edit(first, None, b"1"), edit(second, b"2", b"3")), then=f"touch {tmp_path}/then")
    result = run(shell, upload_script(upload))
    assert result.returncode == CHANGED
    assert f"{second} was changed by somebody else" in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["second"]
    assert second.read_bytes() == b"by somebody else"


@each_shell
def test_unchecked_files_are_replaced_whatever_they_are(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "access"
    path.write_bytes(b"by somebody else")
    assert run(shell, upload_script(Upload("old", (edit(path, b"1", b"2", check=False),)))).returncode == 0
    assert path.read_bytes() == b"2"


@each_shell
def test_files_that_are_done_are_left_alone_and_then_runs_again(shell: str, tmp_path: Path) -> None:
    path, gone = tmp_path / "access", tmp_path / "gone"
    path.write_bytes(b"after")
    os.utime(path, (1, 1))
    upload = Upload("old", (edit(path, b"before", b"after"), edit(gone, b"x", None)), then="echo rebuilt")
    result = run(shell, upload_script(upload))
    assert (result.returncode, result.stdout) == (0, "rebuilt\n")
    assert path.stat().st_mtime == 1


@each_shell
def test_where_then_fails_everything_is_put_back(shell: str, tmp_path: Path) -> None:
    kept, made, removed = tmp_path / "kept", tmp_path / "made", tmp_path / "removed"
    kept.write_bytes(b"kept before")
    kept.chmod(0o600)
    os.utime(kept, (1, 1))
    removed.write_bytes(b"removed before")
    upload = Upload(
        "old",
        (edit(kept, b"kept before", b"x"), edit(made, None, b"y"), edit(removed, b"removed before", None)),
        then=f"set -e; cat {kept} {made}; [ ! -e {removed} ]; echo broken >&2; (exit 7); echo never",
        otherwise=f"cat {kept}; [ ! -e {made} ] && echo ' again'",
    )
    result = run(shell, upload_script(upload), temporary=tmp_path / "t")
    assert result.returncode == 7
    assert result.stdout == "xykept before again\n"
    assert "broken\n" in result.stderr
    assert "put back" in result.stderr
    assert (kept.read_bytes(), removed.read_bytes()) == (b"kept before", b"removed before")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.stat().st_mtime > 1, "make must see that the file changed again"
    assert not made.exists()
    assert not list((tmp_path / "t").iterdir())


@each_shell
def test_otherwise_defaults_to_then(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"good")
    upload = Upload("old", (edit(path, b"good", b"bad"),), then=f"cat {path}; grep -q good {path}")
    result = run(shell, upload_script(upload))
    assert (result.returncode, result.stdout) == (1, "badgood")


@each_shell
def test_a_folder_that_is_not_there_fails_without_a_trace(shell: str, tmp_path: Path) -> None:
    first = tmp_path / "first"
    upload = Upload("old", (edit(first, None, b"1"), edit(tmp_path / "none" / "file", None, b"2")))
    result = run(shell, upload_script(upload))
    assert result.returncode == 74
    assert not list(tmp_path.iterdir())


@each_shell
def test_a_folder_in_the_place_of_a_file_is_refused(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    assert (
        run(shell, upload_script(Upload("old", (edit(path, None, b"1", check=False),)))).returncode == CHANGED
    )
    assert path.is_dir()


@each_shell
def test_large_files_travel(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "access"
    content = os.urandom(600_000)
    script = whole(
        upload_script(Upload("old", (edit(path, None, content),), then="echo done")), "test-upload"
    )
    result = run(shell, script)
    assert (result.returncode, result.stdout) == (0, "done\n")
    assert path.read_bytes() == content


@pytest.mark.parametrize("path", ["relative", "", "/folder/", "/nul\0"])
def test_paths_that_name_no_file_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no absolute path"):
        upload_script(Upload("old", (FileEdit(path, None, b""),)))
