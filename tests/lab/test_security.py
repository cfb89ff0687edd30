"""Nothing secret shows, the run's key opens no more than it must, and sudo allows no more than is printed."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from migrator.mailstore.way import Way
from tests.lab import intruder
from tests.lab.driver import succeed
from tests.lab.eavesdropper import Eavesdropper
from tests.lab.lab import Lab
from tests.lab.world import expect_no_trace

pytestmark = pytest.mark.lab

WRITTEN = "/var/log /var/lib/migrate /var/backups /root /home /tmp /etc /run"
"""Where a run could leave something on a host."""
HOSTILE = (
    *(b"sp ace", b"quo'te\"", b"new\nline", b"end\n", b"$(touch pwned)", b"`id`;&|", b"-rf", b"*?[a]"),
    *(b"caf\xe9", "\u00fc".encode(), b"\x1b[2J"),
)
HOME = "/var/www/web1/user/user11"


@contextmanager
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def secrets_of(lab: Lab) -> list[str]:
    """Return what nobody may see: the key of DNS updates, and the heart of the run's private key."""
    private = lab.shell("new", f"cat {intruder.KEY}").splitlines()
    return [(lab.folder / "tsig.key").read_text().strip(), private[3]]


def plant(lab: Lab) -> None:
    """Give a user of the old host files with hostile names, and links that point out of the tree."""
    script = f"cd {HOME}/Maildir/cur\n"
    for name in HOSTILE:
        # The dot keeps a newline at the end of a name from being lost.
        encoded = base64.b64encode(name + b".").decode()
        script += f'name=$(base64 -d <<<{encoded}); echo mail >"./${{name%.}}"\n'
    script += f"ln -s /etc/shadow {HOME}/shadow; ln -s / {HOME}/Maildir/root; chown -Rh user11: {HOME}"
    lab.shell("old", script)


def listing(lab: Lab, host: str) -> str:
    return lab.shell(
        host, f"cd {HOME} && find Maildir shadow -printf '%p %y %l %s\\0' | LC_ALL=C sort -z | base64 -w0"
    )


def expect_hidden(lab: Lab, texts: list[str], heard: set[bytes]) -> None:
    """Raise AssertionError where a secret stands in an argument, in the state, in the output or on a host."""
    private = secrets_of(lab)
    state = [path for path in lab.state_path.parent.rglob("*") if path.is_file()]
    assert len(state) >= 2
    seen = [*texts, *(path.read_text() for path in state), *(one.decode(errors="replace") for one in heard)]
    for secret in private:
        assert not [text for text in seen if secret in text]
        for host in ("old", "new"):
            found = lab.shell(host, f"grep -rlF -e '{secret}' {WRITTEN} 2>/dev/null || true").split()
            assert set(found) <= ({intruder.KEY} if host == "new" else set()), found


def expect_private(lab: Lab) -> None:
    paths = [lab.state_path.parent, *lab.state_path.parent.rglob("*")]
    modes = {path.name: path.stat().st_mode & 0o777 for path in paths}
    assert set(modes.values()) == {0o700, 0o600}, modes


def test_the_key_reads_and_nothing_secret_shows(lab: Lab) -> None:
    plant(lab)
    with lax_umask(), Eavesdropper() as heard:
        texts = [succeed(lab, "run", "--until", "presync", "--json", "--debug")]
    texts.append(succeed(lab, "status"))
    expect_private(lab)
    expect_hidden(lab, texts, heard.heard)
    assert any(b"migrate-lab" in one for one in heard.heard), "it has listened to the wrong machine"
    assert listing(lab, "new") == listing(lab, "old")
    expect_no_more_than_reading(lab)
    expect_a_wrong_host_key_refused(lab)
    expect_an_abandoned_key_removed(lab)


def expect_no_more_than_reading(lab: Lab) -> None:
    assert intruder.succeeded(lab) == {}
    assert lab.shell("old", "ls /tmp/planted /var/spool/mail/planted 2>/dev/null || true") == ""
    assert lab.shell("new", "ls /tmp/stolen* 2>/dev/null || true") == ""
    granted = intruder.granted(lab)
    assert "SSH_CONNECTION" in granted
    assert "PTY allocation request failed" in granted
    for gift in ("SSH_AUTH_SOCK", "SSH_TTY", "/dev/pts", "DISPLAY"):
        assert gift not in granted
    code, said = intruder.from_elsewhere(lab)
    assert code == 255
    assert "Permission denied" in said


def expect_a_wrong_host_key_refused(lab: Lab) -> None:
    """Between the hosts as well: the next pass ends, and goes on when the right key is back."""
    known = f"{intruder.KEY}.known_hosts"
    other = "$(cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)"
    # The connection of the last pass is still open, to the host whose key was the right one.
    lab.shell("new", Way.to("lab", (lab.place.old, 22, "root")).close_script())
    lab.shell("new", f'cp -p {known} /tmp/known; echo "{lab.place.old} {other}" >{known}')
    done = lab.migrate("run", "--until", "catch-up", "--wait", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Host key verification failed" in done.stderr
    lab.shell("new", f"mv /tmp/known {known}")
    succeed(lab, "run", "--until", "catch-up", "--wait", "--yes")


def expect_an_abandoned_key_removed(lab: Lab) -> None:
    """Without its journal a run is abandoned: the check finds its key, and removes it when told to."""
    refused = lab.migrate("check", "--remove-keys")
    assert refused.returncode == 3
    lab.state_path.rename(lab.folder / "lost")
    found = json.loads(lab.migrate("check", "--json").stdout)["findings"]
    left = [one["host"] for one in found if one["name"] == "left-keys" and one["level"] == "warn"]
    assert left == ["old", "new"]
    assert "the old host and the new host" in succeed(lab, "check", "--remove-keys")
    for role in ("old", "new"):
        expect_no_trace(lab, role)
    assert "no host has a key" in succeed(lab, "check", "--remove-keys")


def test_sudo_allows_what_is_printed_and_the_key_goes_where_sshd_looks(sudo_lab: Lab) -> None:
    lab = sudo_lab
    printed = json.loads(succeed(lab, "check", "--sudoers", "--json"))
    for role in ("old", "new"):
        install_sudoers(lab, role, printed[role])
    move_keys(lab)
    succeed(lab, "run", "--until", "presync")
    assert "migrate:lab" in lab.shell("old", "cat /etc/ssh/keys/admin")
    assert lab.exec("old", "test", "-e", "/home/admin/.ssh/authorized_keys")[0] == 1
    lab.shell("new", "rm /etc/sudoers.d/*")
    refused = lab.migrate("run", "--until", "catch-up", "--wait", "--yes")
    assert refused.returncode == 1
    for words in ("new host", "sudo does not let the user act as root", "migrate check PLAN --sudoers"):
        assert words in refused.stderr, refused.stderr
    install_sudoers(lab, "new", printed["new"])
    succeed(lab, "rollback", "--yes")
    assert lab.shell("old", "grep -rl migrate /etc/ssh/keys /home/admin || true") == ""
    assert lab.exec("old", "test", "-e", "/home/admin/.ssh")[0] == 1


def install_sudoers(lab: Lab, role: str, text: str) -> None:
    """Put a fragment in the place of everything that sudo allows there. Raise AssertionError where visudo objects."""
    file = lab.folder / f"sudoers-{role}"
    file.write_text(text)
    lab.shell(role, f"visudo -cf /lab-state/{file.name}; rm -f /etc/sudoers.d/*")
    lab.shell(role, f"install -m 0440 /lab-state/{file.name} /etc/sudoers.d/migrate-lab && visudo -c")


def move_keys(lab: Lab) -> None:
    """Let the old host's sshd look for keys elsewhere, as some administrators do."""
    lab.shell(
        "old",
        "mkdir -m 755 /etc/ssh/keys; cp /home/admin/.ssh/authorized_keys /etc/ssh/keys/admin; "
        "chmod 600 /etc/ssh/keys/admin; chown admin: /etc/ssh/keys/admin; "
        "echo 'AuthorizedKeysFile /etc/ssh/keys/%u' >/etc/ssh/sshd_config.d/keys.conf; "
        "rm -r /home/admin/.ssh; pkill -o -HUP -x sshd",
    )
