"""An archive of Sendmail's files is whole, dated, and nothing but what its digests say."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import CommandFailed
from migrator.hosts.base import Output
from migrator.sendmail.text_error import TextError
from migrator.toolbox import archive
from tests.fakes import FakeHost

FILES = {"etc/mail/sendmail.mc": b"dnl\n", "etc/mail/access.db": b"\0\xff\n", "etc/aliases": b"root: a\n"}


def sums(files: dict[str, bytes]) -> bytes:
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()
    ).encode()


def packed(files: dict[str, bytes], *, digests: bytes | None = None, kind: bytes = tarfile.REGTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in ({archive.DIGESTS: sums(files) if digests is None else digests} | files).items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uname, member.gname = len(content), 0o640, "root", "smmsp"
            member.type = kind if name != archive.DIGESTS else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def test_files_come_back_with_their_bytes_mode_and_owner() -> None:
    kept = archive.read(packed(FILES))
    assert {one.path: one.content for one in kept} == {f"/{name}": content for name, content in FILES.items()}
    assert {(one.mode, one.owner) for one in kept} == {(0o640, "root:smmsp")}
    assert archive.digest(kept[0]) == hashlib.sha256(b"dnl\n").hexdigest()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed(FILES, digests=sums({**FILES, "etc/aliases": b"root: b\n"})), "not what its digest says"),
        (packed(FILES, digests=sums({"etc/aliases": FILES["etc/aliases"]})), "only"),
        (packed({"etc/aliases": FILES["etc/aliases"]}, digests=sums(FILES)), "only"),
        (packed({"etc/../root/x": b""}), "no place"),
        (packed({"etc/a\nb": b""}, digests=b""), "no place"),
        (packed({"etc/aliases": b""}, kind=tarfile.SYMTYPE), "no plain file"),
        (packed({"etc/aliases": b""}, digests=b"what?\n"), "no line of a list"),
        (b"", "no archive"),
        (b"x" * 2000, "no archive"),
    ],
)
def test_what_is_not_as_its_digests_say_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(TextError, match=words):
        archive.read(data)


@given(st.binary(max_size=2000) | st.integers(0, 6000).map(lambda cut: packed(FILES)[:cut]))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = archive.read(data)
    except TextError:
        return
    assert {one.path for one in found} == {f"/{name}" for name in FILES}


def test_only_files_of_sendmail_belong_into_an_archive() -> None:
    host = FakeHost("new")
    host.on("^for file in", "/srv/mail/access\n/etc/mail/sendmail.mc\n")
    names = (
        "srv/mail/access",
        "srv/mail/other",
        "etc/mail/sub/x",
        "etc/aliases.db",
        "etc/aliases2",
        "root/.profile",
    )
    kept = archive.read(packed(dict.fromkeys(names, b"x")))
    assert archive.foreign(host, kept, ["/etc/mail/access"]) == [
        "/srv/mail/other",
        "/etc/aliases2",
        "/root/.profile",
    ]


def test_an_owner_that_is_no_name_is_its_number() -> None:
    data = packed(FILES)
    assert b"smmsp" in data
    spoilt = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=spoilt, mode="w") as new:
        for member in old.getmembers():
            member.uname, member.gid = "--reference=/etc/shadow", 7
            member.gname = ""
            new.addfile(member, old.extractfile(member))
    assert {one.owner for one in archive.read(spoilt.getvalue())} == {"0:7"}


def run(script: str) -> subprocess.CompletedProcess[bytes]:
    shell = shutil.which("sh")
    assert shell
    return subprocess.run([shell, "-c", script], capture_output=True, timeout=20)


def test_the_script_keeps_what_is_there_with_links_followed_for_root_alone(tmp_path: Path) -> None:
    etc = tmp_path / "it's $(etc)"
    etc.mkdir()
    (etc / "aliases").write_bytes(b"root: a\n")
    (etc / "link").symlink_to(etc / "aliases")
    (etc / "access").write_bytes(b"\0\xff")
    files = [str(etc / name) for name in ("access", "link", "aliases", "missing")]
    target = tmp_path / "copies" / "sendmail-20261129T120000Z.tar"
    done = run(archive.make_script(str(target), files))
    assert (done.returncode, done.stderr) == (0, b"")
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as tar:
        names = tar.getnames()
        listed = tar.extractfile(archive.DIGESTS)
        assert listed
        digests = archive.parse_sums(listed.read().decode())
    assert names == [archive.DIGESTS, *(str(etc / name)[1:] for name in ("access", "aliases"))]
    assert digests == archive.parse_sums(run(archive.sums_script(files)).stdout.decode())
    assert digests[str(etc / "access")] == hashlib.sha256(b"\0\xff").hexdigest()


def test_a_copy_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    script = archive.make_script(str(tmp_path / "copies/x.tar"), [str(tmp_path / "a")]).replace(
        "tar -cf", "false"
    )
    assert run(script).returncode != 0
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("path", ["relative", "/a\nb", ""])
def test_a_path_that_a_list_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(TextError):
        archive.make_script("/var/backups/x.tar", [path])


def test_the_newest_copy_is_found_among_other_files() -> None:
    host = FakeHost("new")
    host.on(
        "^ls -1", "other.tar\nsendmail-20261129T120000Z.tar\nsendmail-20261130T080000Z.tar\nsendmail-x.tar\n"
    )
    assert archive.newest(host) == "/var/backups/migrate/sendmail-20261130T080000Z.tar"
    host.on("^ls -1", "")
    assert archive.newest(host) == ""


def test_an_archive_that_cannot_be_fetched_is_an_error() -> None:
    host = FakeHost("new")
    for answer in (Output(1, "", "No such file"), Output(0, "", ""), Output(0, "n?t base64", "")):
        host.on("^base64", answer)
        with pytest.raises(CommandFailed):
            archive.fetched(host, "/x.tar")


def test_a_digest_belongs_to_a_path_with_any_character() -> None:
    digest = "0" * 64
    assert archive.parse_sums(f"{digest}  etc/mail/a\x85b\u2028c\n") == {"/etc/mail/a\x85b\u2028c": digest}
