"""A user's keys are where sshd looks for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.sshd import authorized_keys_files, settings_script
from tests.hosts.shell import run

SETTINGS = "port 22\nauthorizedkeysfile {}\nsubsystem sftp internal-sftp\n"


@pytest.mark.parametrize(
    ("value", "files"),
    [
        (
            ".ssh/authorized_keys .ssh/authorized_keys2",
            ("/home/admin/.ssh/authorized_keys", "/home/admin/.ssh/authorized_keys2"),
        ),
        ("/etc/ssh/keys/%u", ("/etc/ssh/keys/admin",)),
        ("%h/.keys /k/%U/%%u", ("/home/admin/.keys", "/k/2100/%u")),
        ("/a /a", ("/a",)),
        ("none", ()),
        ("/keys/%k .ssh/authorized_keys", ("/home/admin/.ssh/authorized_keys",)),
        ("", ()),
    ],
)
def test_paths_are_those_that_sshd_opens(value: str, files: tuple[str, ...]) -> None:
    text = SETTINGS.format(value)
    assert authorized_keys_files(text, user="admin", uid=2100, home="/home/admin") == files


def test_a_sshd_that_does_not_tell_leaves_it_open() -> None:
    assert authorized_keys_files("", user="admin", uid=2100, home="/home/admin") == ()
    done = run("sh", "PATH=/nonexistent\n" + settings_script(user="admin", address="198.51.100.20"))
    assert (done.returncode, done.stdout) == (0, "")


@given(st.text(st.characters(exclude_categories=[]), max_size=200))
def test_arbitrary_text_gives_absolute_paths_or_none(text: str) -> None:
    for said in (text, f"authorizedkeysfile {text}"):
        files = authorized_keys_files(said, user="admin", uid=2100, home="/home/admin")
        assert all(path.startswith("/") and "\n" not in path for path in files)
