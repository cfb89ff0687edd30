"""The key reads the planned trees from the new host's addresses, and does nothing else."""

from __future__ import annotations

import pytest

from migrator.change import Upload
from migrator.errors import MigrateError, VerifyFailed
from migrator.hosts.base import Output
from migrator.hosts.facts import Account
from migrator.plan import HostPlan
from migrator.steps.install_key import InstallKey, installed
from tests.fakes import make_facts
from tests.steps.simulation import PUBLIC_KEY
from tests.steps.stage import Stage, edits, script, summaries, undo_script, upload

AUTHORIZED = "/root/.ssh/authorized_keys"
WRAPPER = "/root/.ssh/migrate-example-mail.sh"
KEY = "/root/.ssh/migrate-example-mail"
ADMIN = "ssh-ed25519 AAAAadmin admin@desk\n"


@pytest.fixture
def stage() -> Stage:
    return Stage(InstallKey())


def line(stage: Stage) -> str:
    """Return the line that the migration adds to authorized_keys."""
    text = edits(stage.perform()[-1])[AUTHORIZED] or ""
    assert text.startswith(ADMIN)
    return text.removeprefix(ADMIN)


class TestLine:
    def test_it_allows_one_command_from_one_address(self, stage: Stage) -> None:
        assert line(stage) == (
            f'restrict,from="198.51.100.20",command="sh {WRAPPER}" {PUBLIC_KEY} migrate:example-mail\n'
        )

    def test_it_names_every_address_that_the_new_host_may_come_from(self, stage: Stage) -> None:
        stage.plan_new("198.51.100.20", "2001:db8::20")
        stage.facts("new", source="10.0.0.20")
        assert 'from="10.0.0.20,198.51.100.20,2001:db8::20",' in line(stage)

    def test_a_new_host_without_a_route_is_known_by_its_planned_addresses(self, stage: Stage) -> None:
        stage.facts("new", source="")
        assert 'from="198.51.100.20",' in line(stage)

    def test_an_old_sshd_is_told_each_restriction_by_name(self, stage: Stage) -> None:
        stage.facts("old", openssh=(6, 6))
        assert line(stage).startswith("no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,from=")

    def test_a_line_of_an_earlier_key_is_replaced(self, stage: Stage) -> None:
        stage.old.files[AUTHORIZED] += b'restrict,from="192.0.2.1" ssh-ed25519 AAAAold migrate:example-mail\n'
        assert "AAAAold" not in line(stage)

    def test_a_line_of_another_migration_stays(self, stage: Stage) -> None:
        other = b"ssh-ed25519 AAAAother migrate:example-mail-2\n"
        stage.old.files[AUTHORIZED] += other
        assert line(stage).startswith(other.decode())

    def test_bytes_that_are_no_text_stay(self, stage: Stage) -> None:
        stage.old.files[AUTHORIZED] = b"# caf\xe9\n"
        stage.perform()
        assert stage.old.files[AUTHORIZED].startswith(b"# caf\xe9\nrestrict,")


class TestChanges:
    def test_the_pair_the_host_key_and_the_door_come_in_this_order(self, stage: Stage) -> None:
        pair, known, door = stage.perform()
        assert summaries([pair, known, door]) == [
            f"make the key of this migration on the new host ({KEY})",
            "tell the new host the old one's host key, as it was verified here",
            "let that key read /var/spool/mail/, /srv/mail/ on the old host from 198.51.100.20, and nothing else",
        ]
        assert [pair.do.host, known.do.host, door.do.host] == ["new", "new", "old"]

    def test_the_pair_is_made_without_a_password_and_only_once(self, stage: Stage) -> None:
        text = script(stage.perform()[0])
        assert f"[ -s {KEY}.pub ] ||" in text
        assert f"ssh-keygen -q -t ed25519 -N '' -C migrate:example-mail -f {KEY}" in text

    def test_what_the_new_host_knows_of_the_old_one_is_its_own_file(self, stage: Stage) -> None:
        (edit,) = upload(stage.perform()[1]).files
        assert (edit.path, edit.mode) == (f"{KEY}.known_hosts", "0600")
        assert edit.after == b"198.51.100.10 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"

    def test_the_wrapper_runs_for_its_owner_alone(self, stage: Stage) -> None:
        wrapper, authorized = upload(stage.perform()[-1]).files
        assert (wrapper.path, wrapper.mode, wrapper.owner) == (WRAPPER, "0700", "root:0")
        assert (authorized.path, authorized.mode, authorized.owner) == (AUTHORIZED, "0600", "root:0")

    def test_before_the_key_is_made_a_rehearsal_shows_its_place(self, stage: Stage) -> None:
        text = edits(stage.look()[-1])[AUTHORIZED] or ""
        assert 'from="198.51.100.20"' in text
        assert PUBLIC_KEY not in text

    def test_what_is_installed_is_not_installed_again(self, stage: Stage) -> None:
        stage.perform()
        assert stage.look() == []

    def test_a_door_that_somebody_closed_is_opened_again(self, stage: Stage) -> None:
        stage.perform()
        stage.old.files[AUTHORIZED] = ADMIN.encode()
        assert [change.do.host for change in stage.look()] == ["old"]

    def test_each_part_can_be_taken_away_by_itself(self, stage: Stage) -> None:
        undos = [change.undo for change in stage.perform()]
        assert [undo.host for undo in undos if not isinstance(undo, Upload) and hasattr(undo, "host")] == [
            "new",
            "new",
            "old",
        ]


def test_what_is_no_public_key_ends_with_what_to_do(stage: Stage) -> None:
    stage.new.files[f"{KEY}.pub"] = b'command="id" ssh-ed25519 AAAA\n'
    with pytest.raises(MigrateError, match="no public key") as failed:
        stage.look()
    assert "--remove-keys" in (failed.value.advice or "")


class TestUnusualPlaces:
    """AuthorizedKeysFile of sshd_config(5) may lead elsewhere, and `sshd -T` says where."""

    ELSEWHERE = "/etc/ssh/keys/root"

    @pytest.fixture(autouse=True)
    def elsewhere(self, stage: Stage) -> None:
        stage.old.on("-T -C user=root,host=198.51.100.20,", "authorizedkeysfile /etc/ssh/keys/%u\n")
        stage.old.files[self.ELSEWHERE] = ADMIN.encode()

    def test_the_line_goes_where_sshd_looks(self, stage: Stage) -> None:
        door = edits(stage.perform()[-1])
        assert set(door) == {WRAPPER, self.ELSEWHERE}
        assert stage.old.files[AUTHORIZED] == ADMIN.encode()
        assert stage.look() == []

    def test_a_line_in_the_usual_file_is_found_and_removed_as_well(self, stage: Stage) -> None:
        stage.old.files[AUTHORIZED] += b"ssh-ed25519 AAAA migrate:example-mail\n"
        assert installed(stage.context()) == ("old",)
        assert f"for file in {self.ELSEWHERE} {AUTHORIZED}; do" in undo_script(stage.perform()[-1])

    def test_a_missing_folder_for_the_wrapper_is_made(self, stage: Stage) -> None:
        stage.old.on(r"-d /root/\.ssh \]", "missing\n")
        folder = stage.look()[-2]
        assert folder.summary == "make /root/.ssh on the old host"


def test_with_sudo_the_files_are_the_login_users(stage: Stage) -> None:
    stage.plan(old=HostPlan("admin@198.51.100.10", ("198.51.100.10",), sudo=True))
    accounts = {**make_facts().accounts, "admin": Account("admin", 1500, 1600, "/home/admin", "/bin/sh")}
    stage.facts("old", login="admin", home="/home/admin", accounts=accounts)
    door = upload(stage.perform()[-1])
    assert [(edit.path, edit.owner) for edit in door.files] == [
        ("/home/admin/.ssh/migrate-example-mail.sh", "admin:1600"),
        ("/home/admin/.ssh/authorized_keys", "admin:1600"),
    ]
    assert b"exec sudo -n sh -c" in (door.files[0].after or b"")


class TestInstalled:
    def test_nothing_is_there_before(self, stage: Stage) -> None:
        assert installed(stage.context()) == ()

    def test_both_hosts_hold_a_part_after(self, stage: Stage) -> None:
        stage.perform()
        assert installed(stage.context()) == ("old", "new")

    @pytest.mark.parametrize("path", [KEY, f"{KEY}.pub", f"{KEY}.known_hosts"])
    def test_each_file_of_the_new_host_counts(self, stage: Stage, path: str) -> None:
        stage.new.files[path] = b""
        assert installed(stage.context()) == ("new",)

    def test_a_wrapper_alone_counts(self, stage: Stage) -> None:
        stage.old.files[WRAPPER] = b""
        assert installed(stage.context()) == ("old",)


class TestVerify:
    def test_the_door_answers_to_a_knock(self, stage: Stage) -> None:
        stage.perform()
        stage.verify()

    def test_a_door_that_stays_shut_is_shown_with_what_ssh_said(self, stage: Stage) -> None:
        stage.perform()
        stage.new.on("migrate-hello", Output(255, "", "Permission denied (publickey).\n"))
        with pytest.raises(VerifyFailed, match="cannot read from the old one") as failed:
            stage.verify()
        assert failed.value.seen == "Permission denied (publickey)."

    def test_a_key_that_opens_a_shell_instead_is_no_success(self, stage: Stage) -> None:
        stage.perform()
        stage.new.on("migrate-hello", "sh: migrate-hello: not found\n")
        with pytest.raises(VerifyFailed) as failed:
            stage.verify()
        assert failed.value.seen == "sh: migrate-hello: not found"
