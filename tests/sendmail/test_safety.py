"""Who may write to a file decides whether Sendmail trusts it, and DontBlameSendmail what it keeps quiet about."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from migrator.sendmail import safety
from migrator.sendmail.safety import Facts, Kind
from migrator.sendmail.text_error import TextError

FILE, FOLDER, LINK = 0o100000, 0o040000, 0o120000
SAFE = {
    "/": Facts(FOLDER | 0o755, 0, 0),
    "/home": Facts(FOLDER | 0o755, 0, 0),
    "/home/u1": Facts(FOLDER | 0o755, 1001, 1001),
    "/home/u1/.forward": Facts(FILE | 0o644, 1001, 1001),
}


def found(path: str, facts: Facts, *, allowed: str = "", kind: Kind = "forward") -> list[tuple[str, bool]]:
    weak = safety.weaknesses(
        "/home/u1/.forward", kind, {**SAFE, path: facts}, safety.flags(allowed), trusted={0, 1001}
    )
    return [(f"{one.path} {one.reason}", one.hidden) for one in weak]


def test_a_file_of_its_user_that_nobody_else_writes_to_is_trusted() -> None:
    assert found("/home/u1", SAFE["/home/u1"]) == []


@pytest.mark.parametrize(
    ("path", "mode", "reason", "flag"),
    [
        ("/home/u1/.forward", FILE | 0o664, "may be written by its group", "GroupWritableForwardFile"),
        ("/home/u1/.forward", FILE | 0o666, "may be written by everybody", "WorldWritableForwardFile"),
        (
            "/home/u1",
            FOLDER | 0o775,
            "is a folder that its group may write to",
            "ForwardFileInGroupWritableDirPath",
        ),
        (
            "/home",
            FOLDER | 0o1777,
            "is a folder that everybody may write to",
            "safe,ForwardFileInUnsafeDirPath",
        ),
    ],
)
def test_what_others_may_write_to_is_told_and_whether_it_is_hidden(
    path: str, mode: int, reason: str, flag: str
) -> None:
    weak = Facts(mode, 0, 0)
    assert found(path, weak) == [(f"{path} {reason}", False)]
    assert found(path, weak, allowed=flag) == [(f"{path} {reason}", True)]


def test_a_file_of_somebody_else_is_told() -> None:
    assert found("/home/u1/.forward", Facts(FILE | 0o644, 1002, 0)) == [
        ("/home/u1/.forward belongs to user number 1002", False)
    ]


def test_a_sticky_folder_is_safe_where_sticky_bits_are_trusted_and_a_link_has_no_mode() -> None:
    assert found("/home", Facts(FOLDER | 0o1777, 0, 0), allowed="TrustStickyBit") == []
    assert found("/home/u1/.forward", Facts(LINK | 0o777, 1001, 0)) == []


def test_each_kind_of_file_has_flags_of_its_own() -> None:
    (weak,) = safety.weaknesses("/m.db", "map", {"/": Facts(FOLDER | 0o777, 0, 0)}, (), trusted={0})
    assert (weak.path, weak.flag) == ("/", "MapInUnsafeDirPath")


def test_the_reader_tells_of_a_file_and_every_folder_above(tmp_path: Path) -> None:
    odd = tmp_path / "it's $(odd)\nfolder"
    odd.mkdir(mode=0o770)
    (odd / "-file").write_text("x")
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run(
        [shell, "-c", safety.READER, "sh", str(odd / "-file"), "/missing/file"],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = safety.parse(done.stdout)
    assert facts[str(odd / "-file")].owner == os.getuid()
    assert facts[str(odd)].is_folder
    assert "/" in facts
    assert "/missing/file" not in facts
    for length in range(len(done.stdout)):
        if not done.stdout[:length].endswith("\0\0"):
            with pytest.raises(TextError):
                safety.parse(done.stdout[: length or 0] or "x")


def test_nothing_is_read_of_nothing() -> None:
    assert safety.parse("\0") == {}
