"""A user's keys are where sshd looks for them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.sshd import (
    CONNECTION_SCRIPT,
    Ends,
    authorized_keys_files,
    parse_connection,
    settings_script,
)
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


class TestConnection:
    """Where its own sshd was reached, which sudo does not pass on."""

    @pytest.mark.parametrize("kept", [True, False])
    def test_it_is_found_with_and_without_sudo(self, kept: bool) -> None:
        before = "SSH_CONNECTION='192.0.2.1 50000 198.51.100.10 2222'; export SSH_CONNECTION\n"
        # As sudo does, which keeps it for itself: what it starts has another environment.
        inner = f"sh -c {shlex.quote(CONNECTION_SCRIPT)}"
        script = before + (inner if kept else f"sh -c {shlex.quote(f'env -i PATH=$PATH {inner}; exit')}")
        assert parse_connection(run("sh", script).stdout) == Ends("192.0.2.1", "198.51.100.10", 2222)

    def test_addresses_of_a_link_lose_their_interface(self) -> None:
        assert parse_connection("fe80::1%eth0 1 fe80::2%eth0 22\n") == Ends("fe80::1", "fe80::2", 22)

    @pytest.mark.parametrize(
        "text", ["", "a b c d", "192.0.2.1 1 198.51.100.10", "::1 1 ::1 x", "1 1 $(id) 22"]
    )
    def test_what_is_none_is_none(self, text: str) -> None:
        assert parse_connection(text) is None

    @given(st.text())
    def test_anything_a_host_prints_is_read_or_refused(self, text: str) -> None:
        found = parse_connection(text)
        assert found is None or found.port < 100_000
