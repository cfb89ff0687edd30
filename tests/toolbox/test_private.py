"""A file with logins is changed and changed back, and no journal ever holds a password."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.change import Change, FileEdit, Shell, Undo, Upload
from migrator.hosts.upload import upload_script
from migrator.toolbox.private import has_login, kept_apart

LOGIN = 'AuthInfo:relay.example "U:me" "P:{password}" "M:PLAIN"\n'
BEFORE, AFTER = LOGIN.format(password="first"), LOGIN.format(password="second")


def change(path: Path, before: str | None, after: str, then: str = ":\n") -> Change:
    owner = f"{path.parent.owner()}:{path.parent.group()}"

    def edit(one: str | None, other: str | None) -> FileEdit:
        old, new = (None if text is None else text.encode() for text in (one, other))
        return FileEdit(str(path), old, new, mode="0640", owner=owner)

    return Change(
        "put back", Upload("new", (edit(before, after),), then), Upload("new", (edit(after, before),), ":\n")
    )


def run(upload: object) -> subprocess.CompletedProcess[str]:
    assert isinstance(upload, Upload)
    shell = shutil.which("sh")
    assert shell
    return subprocess.run([shell, "-c", upload_script(upload)], capture_output=True, text=True, timeout=20)


def revealed(upload: object, content: str) -> Upload:
    assert isinstance(upload, Upload)
    return replace(upload, files=tuple(replace(edit, after=content.encode()) for edit in upload.files))


@pytest.mark.parametrize("before", [BEFORE, None])
def test_the_file_of_before_comes_back_from_the_host_whatever_is_repeated(
    tmp_path: Path, before: str | None
) -> None:
    path, kept = tmp_path / "it's authinfo", tmp_path / "kept"
    if before is not None:
        path.write_text(before)
        path.chmod(0o600)
    made = kept_apart(change(path, before, AFTER), {str(path)}, str(kept))
    assert "first" not in repr(made)
    assert "second" not in repr(made)
    assert isinstance(made.do, Upload)
    assert ("+++ " in made.do.shown) is (before is None)  # masked, both logins look alike
    for _ in range(2):
        done = run(revealed(made.do, AFTER))
        assert (done.returncode, done.stderr) == (0, "")
        assert path.read_text() == AFTER
    assert kept.stat().st_mode & 0o077 == 0
    for _ in range(2):
        assert run(made.undo).returncode == 0
        assert (path.read_text() if path.exists() else None) == before
    if before is not None:
        assert path.stat().st_mode & 0o777 == 0o600


def test_what_fails_leaves_no_copy_and_the_file_of_before(tmp_path: Path) -> None:
    path, kept = tmp_path / "authinfo", tmp_path / "kept"
    path.write_text(BEFORE)
    made = kept_apart(change(path, BEFORE, AFTER, then="false\n"), {str(path)}, str(kept))
    assert run(revealed(made.do, AFTER)).returncode != 0
    assert path.read_text() == BEFORE
    assert not kept.exists()


def test_other_files_stay_in_the_change_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "access"
    plain = change(path, None, "To:a RELAY\n")
    assert isinstance(plain.do, Upload)
    assert not has_login(plain.do.files[0])
    assert kept_apart(plain, set(), "/x").undo == plain.undo
    logins = change(path, '  authinfo:a "P:x"\n', "").do
    assert isinstance(logins, Upload)
    assert has_login(logins.files[0])


def test_only_uploads_hold_files() -> None:
    with pytest.raises(TypeError):
        kept_apart(Change("x", Shell("new", ":"), Undo.NOT_NEEDED), set(), "/x")
