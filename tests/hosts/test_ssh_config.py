"""Where a run goes is where ssh goes, whatever stands in ssh_config; and where nobody can tell, it goes nowhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import HostError
from migrator.hosts.connection import Opener
from migrator.hosts.ssh_config import Destination, resolve
from migrator.plan import HostPlan
from migrator.plan.endpoint import parse_endpoint

OLD = ("203.0.113.200", 22, "root")
MATCH_FINAL = (
    "Host oldmail\n  HostName 203.0.113.200\n  User root\nMatch final all\n  ServerAliveInterval 30\n"
)
MATCH_EQUALS = "Match host=oldmail\n  User root\nHost oldmail\n  HostName 203.0.113.200\n"
INCLUDED = "Host oldmail\n  HostName 203.0.113.200\n  User root\n"
LOCALNETWORK = f"Match localnetwork 10.99.0.0/16\n  HostName 203.0.113.240\n{INCLUDED}"
ODD = (
    MATCH_FINAL,
    MATCH_EQUALS,
    LOCALNETWORK,
    "Include included\n",
    f"Match canonical\n  HostName 203.0.113.240\n{INCLUDED}",
    f"Match tagged here\n  HostName 203.0.113.240\n{INCLUDED}",
    f"Match !host oldmail\n  HostName 203.0.113.240\n{INCLUDED}",
    "Host oldmail\n  HostName 203.0.113.200 # not 203.0.113.240\n",
    "CanonicalizeHostname yes\n",
    'Host "oldmail"\n  HostName 203.0.113.200\n',
)

Write = Callable[..., None]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path / ".ssh"


@pytest.fixture
def without_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def where(text: str = "oldmail") -> Destination:
    return resolve(parse_endpoint(text), name="old")


def three(found: Destination) -> tuple[str, int, str]:
    return found.host, found.port, found.user


class TestSshJudges:
    """This machine has an ssh, as most have."""

    @pytest.fixture(autouse=True)
    def with_ssh(self) -> None:
        assert shutil.which("ssh"), "the tests of this class need OpenSSH's client"

    @pytest.mark.parametrize("text", [MATCH_FINAL, MATCH_EQUALS], ids=["final", "equals"])
    def test_what_ssh_understands_leads_where_ssh_goes(self, folder: Path, text: str) -> None:
        (folder / "config").write_text(text)
        assert three(where()) == OLD

    def test_a_criterion_that_not_every_ssh_knows_leads_to_the_right_host_or_nowhere(
        self, folder: Path
    ) -> None:
        (folder / "config").write_text(LOCALNETWORK)
        try:
            assert three(where()) == OLD
        except HostError as refused:  # before OpenSSH 9.4
            assert "localnetwork" in (refused.seen or "")

    @pytest.mark.parametrize(
        "line",
        [
            "Include included",
            "include = included",
            'Include "included"',
            "Include incl*",
            "Include ~/.ssh/included",
        ],
    )
    def test_an_included_file_counts(self, folder: Path, line: str) -> None:
        (folder / "config").write_text(f"{line}\n")
        (folder / "included").write_text("Include deeper/*.conf\nInclude none\n")
        (folder / "deeper").mkdir()
        (folder / "deeper/a.conf").write_text(INCLUDED)
        assert three(where()) == OLD

    def test_an_include_within_a_host_counts_for_that_host_alone(self, folder: Path) -> None:
        (folder / "config").write_text(
            "Host other\n  Include included\nHost oldmail\n  HostName 203.0.113.200\n  User root\n"
        )
        (folder / "included").write_text("HostName 203.0.113.240\n")
        assert three(where()) == OLD

    def test_the_plan_goes_before_the_file(self, folder: Path) -> None:
        (folder / "config").write_text(
            "Match user mover\n  Port 2200\nHost oldmail\n  User root\n  HostName 203.0.113.9\n"
        )
        assert three(where("mover@oldmail")) == ("203.0.113.9", 2200, "mover")
        assert three(where("mover@oldmail:2022")) == ("203.0.113.9", 2022, "mover")

    def test_a_name_that_no_file_knows_is_itself(self, folder: Path) -> None:
        assert (where("mover@198.51.100.10").host, where("mover@[2001:db8::1]:23").host) == (
            "198.51.100.10",
            "2001:db8::1",
        )

    def test_keys_and_known_hosts_and_their_names_come_along(self, folder: Path) -> None:
        for name in ("own", "id_rsa", "of-203.0.113.200"):
            (folder / name).write_text("x")
        (folder / "config").write_text(
            "Host oldmail\n  HostName 203.0.113.200\n  IdentityFile ~/.ssh/own\n  IdentityFile ~/.ssh/of-%h\n"
            "  IdentityFile ~/.ssh/missing\n  IdentityFile ~/.ssh/id_rsa\n"
            "  UserKnownHostsFile ~/.ssh/known_hosts /srv/known\n  HostKeyAlias Old-Mail\n"
        )
        found = where()
        assert found.keys == (folder / "own", folder / "of-203.0.113.200")
        assert not found.keys_only
        assert (found.known_hosts, found.alias) == ((Path("/srv/known"),), "old-mail")
        with (folder / "config").open("a") as config:
            config.write("  IdentitiesOnly yes\n")
        assert where().keys_only
        assert where().keys[-1] == folder / "id_rsa"

    def test_a_program_makes_the_connection_with_the_true_port(self, folder: Path) -> None:
        (folder / "config").write_text(
            "Host oldmail\n  HostName 203.0.113.200\n  Port 2200\n  ProxyCommand nc -X 5 %h %p | cat; echo %n 100%%\n"
        )
        assert where().command == "sh -c 'exec nc -X 5 203.0.113.200 2200 | cat; echo oldmail 100%'"

    def test_hosts_on_the_way_go_by_their_own_settings(self, folder: Path) -> None:
        (folder / "config").write_text(
            "Host oldmail\n  HostName 10.0.0.2\n  ProxyJump first,u@[::1]:23\n"
            "Host first\n  HostName 203.0.113.1\n  User one\n  ProxyJump zeroth\n"
            "Host zeroth\n  HostName 203.0.113.7\n  User zero\n"
        )
        assert [three(hop) for hop in where().jumps] == [
            ("203.0.113.7", 22, "zero"),
            ("203.0.113.1", 22, "one"),
            ("::1", 23, "u"),
        ]

    def test_a_way_in_a_circle_ends(self, folder: Path) -> None:
        (folder / "config").write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
        with pytest.raises(HostError, match="circle"):
            where("a")

    @pytest.mark.parametrize(
        ("text", "seen"),
        [
            ("Host oldmail\n  HostNaem 203.0.113.200\n", "hostnaem"),
            ("Host oldmail\n  ProxyCommand nc %q\n", "%q"),
            ("Host oldmail\n  ProxyUseFdpass yes\n  ProxyCommand nc %h\n", "ProxyUseFdpass"),
        ],
    )
    def test_what_cannot_be_followed_is_told(self, folder: Path, text: str, seen: str) -> None:
        (folder / "config").write_text(text)
        with pytest.raises(HostError, match="cannot be followed") as caught:
            where()
        assert seen in (caught.value.seen or "")
        assert "ssh -G oldmail" in (caught.value.advice or "")

    def test_the_connection_goes_there_and_nowhere_else(self, folder: Path) -> None:
        (folder / "config").write_text(
            MATCH_FINAL.replace(
                "Match", "  HostKeyAlias Old-Mail\n  ProxyJump jump\nHost jump\n  HostName 203.0.113.1\nMatch"
            )
        )
        connection = Opener("old", HostPlan("oldmail", ("203.0.113.200",))).prepare()
        assert (connection.host, connection.port, connection.user) == OLD
        assert connection.ssh_config["hostkeyalias"] == "old-mail"
        assert connection.gateway.host == "203.0.113.1"


class TestWithoutSsh:
    @pytest.fixture(autouse=True)
    def _without(self, without_ssh: None) -> None:
        """No ssh is found."""

    def test_a_file_that_both_read_alike_is_followed(self, folder: Path) -> None:
        (folder / "own").write_text("x")
        (folder / "config").write_text(
            "# hosts\nMatch host oldmail\n  User root\nHost oldmail\n  HostName=203.0.113.200\n"
            "  IdentityFile ~/.ssh/own\n  ProxyCommand nc %h %p\n"
        )
        found = where()
        assert (three(found), found.keys) == (OLD, (folder / "own",))
        assert found.command == "sh -c 'exec nc 203.0.113.200 22'"
        assert three(where("mover@oldmail:2022"))[1:] == (2022, "mover")

    def test_without_a_file_the_plan_counts(self, folder: Path) -> None:
        assert three(where("mover@198.51.100.10:2022")) == ("198.51.100.10", 2022, "mover")

    @pytest.mark.parametrize("text", ODD)
    def test_a_line_that_paramiko_may_take_otherwise_is_no_guess(self, folder: Path, text: str) -> None:
        (folder / "config").write_text(text)
        (folder / "included").write_text(INCLUDED)
        with pytest.raises(HostError, match="cannot be followed") as caught:
            where()
        assert "line" in (caught.value.seen or "")


@pytest.mark.parametrize(
    "said", ["unknown option -- G", "ssh: illegal option -- G", "usage: ssh [-1246AaCfg]"]
)
def test_an_ssh_that_does_not_know_the_question_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (folder / "config").write_text(INCLUDED)
    assert three(where()) == OLD
    (folder / "config").write_text(LOCALNETWORK)
    with pytest.raises(HostError, match="cannot be followed"):
        where()


def test_in_the_users_own_home_ssh_reads_its_files_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\necho "hostname 203.0.113.5"\necho "user $*"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("migrator.hosts.ssh_config._home_of_ssh", lambda: tmp_path)
    assert where("mover@oldmail:22").user == "-G -l mover -p 22 -- oldmail"


def test_a_known_host_of_another_file_counts_where_the_plan_names_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "known").write_text("oldmail ssh-ed25519 AAAA\n")
    (folder / "config").write_text(
        f"Host oldmail\n  HostName 203.0.113.200\n  UserKnownHostsFile {tmp_path / 'known'}\n"
    )
    plan = HostPlan("oldmail", ("203.0.113.200",))
    for given, wanted in ((plan, 1), (replace(plan, known_hosts=tmp_path / "other"), 0)):
        opener = Opener("old", given)
        opener.prepare()
        assert len(opener._known().keys) == wanted
