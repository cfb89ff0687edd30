"""The key reads the planned trees from the new host's addresses, and does nothing else."""

from __future__ import annotations

import pytest

from migrator.change import Undo, Upload
from migrator.errors import MigrateError, VerifyFailed
from migrator.hosts.base import Output
from migrator.hosts.facts import Account
from migrator.hosts.push import push_port
from migrator.mailstore.way import FAST_CIPHERS
from migrator.plan import CopyPlan, HostPlan, SyncTree
from migrator.steps.install_key import InstallKey, installed
from tests.fakes import FakeDoor, make_facts
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

    @pytest.mark.parametrize("path", [KEY, f"{KEY}.pub", f"{KEY}.known_hosts", f"{KEY}.ciphers"])
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

    def test_it_knocks_through_the_way_of_the_plan(self, stage: Stage) -> None:
        stage.perform()
        stage.new.on("migrate-hello", lambda _host, text: text)
        door = FakeDoor(loopback=4022)
        with pytest.raises(VerifyFailed) as failed:
            stage.verify(door=door)
        assert "-p 4022 root@127.0.0.1 migrate-hello" in (failed.value.seen or "")
        assert door.opened == 1


class TestWrapper:
    """What the key may ask for comes from the plan."""

    def wrapper(self, stage: Stage, **copying: object) -> str:
        stage.plan(copying=CopyPlan(**copying))  # type: ignore[arg-type] # what the test names
        return edits(stage.perform()[-1])[WRAPPER] or ""

    def test_it_may_look_at_each_tree(self, stage: Stage) -> None:
        text = self.wrapper(stage)
        for index in (0, 1):
            assert f"/var/lib/migrate/example-mail/look-{index}" in text

    def test_a_tree_whose_patterns_only_rsync_understands_is_not_looked_at(self, stage: Stage) -> None:
        stage.plan(sync=(SyncTree("/a/", "/a/", exclude=("[[:foo:]]",)),))
        assert "look-0" not in self.wrapper(stage).replace("migrate-look-0", "")

    def test_it_is_as_gentle_as_the_plan_says(self, stage: Stage) -> None:
        text = self.wrapper(stage, nice=5, ionice="idle", max_load=8.0)
        assert "gentle='nice -n 5'" in text
        assert "ionice -c 3" in text
        assert "-gt 800 ]" in text


class TestCiphers:
    def test_they_are_noted_where_both_processors_are_quick_at_them(self, stage: Stage) -> None:
        for host in ("old", "new"):
            stage.facts(host, aes=True)
        stage.perform()
        assert stage.new.files[f"{KEY}.ciphers"].decode() == f"{FAST_CIPHERS}\n"
        assert stage.look() == []

    @pytest.mark.parametrize("host", ["old", "new"])
    def test_one_such_processor_is_not_enough(self, stage: Stage, host: str) -> None:
        stage.facts(host, aes=True)
        stage.perform()
        assert f"{KEY}.ciphers" not in stage.new.files


CONNECTION = "192.0.2.7 50000 10.0.0.10 2222\n"


class TestOperator:
    """What goes through the operator reaches the old host's sshd from the old host itself."""

    @pytest.fixture(autouse=True)
    def through(self, stage: Stage) -> None:
        stage.plan(copying=CopyPlan(via="operator"))
        stage.old.on("SSH_CONNECTION", CONNECTION)

    def test_the_key_is_good_from_there_and_from_the_operator(self, stage: Stage) -> None:
        assert 'from="127.0.0.1,::1,10.0.0.10,192.0.2.7",' in line(stage)

    def test_an_old_host_that_does_not_say_is_known_by_its_loopback(self, stage: Stage) -> None:
        stage.old.on("SSH_CONNECTION", "")
        assert 'from="127.0.0.1,::1",' in line(stage)


class TestPush:
    """The old host opens the way: its key is good for one port of the new host's loopback."""

    OLD_KEY = f"{KEY}.push"

    @pytest.fixture(autouse=True)
    def pushing(self, stage: Stage) -> None:
        stage.plan(copying=CopyPlan(via="push"))
        stage.old.on("SSH_CONNECTION", CONNECTION)

    def test_the_old_host_gets_a_key_that_holds_one_port(self, stage: Stage) -> None:
        changes = stage.perform()
        assert [change.do.host for change in changes] == ["new", "new", "old", "old", "new", "old"]
        entry = stage.new.files[AUTHORIZED].decode().removeprefix(ADMIN)
        port = push_port("example-mail")
        assert entry.startswith('restrict,port-forwarding,permitlisten="127.0.0.1:')
        for part in (f'permitlisten="127.0.0.1:{port}"', 'permitopen="127.0.0.1:1"', 'command="/bin/false"'):
            assert part in entry
        assert 'from="198.51.100.10"' in entry
        assert entry.endswith(" migrate:example-mail\n")

    def test_it_knows_the_new_hosts_key_alone(self, stage: Stage) -> None:
        stage.perform()
        assert stage.old.files[f"{self.OLD_KEY}.known_hosts"].startswith(b"198.51.100.20 ssh-ed25519 ")

    def test_the_new_hosts_key_is_not_good_from_the_operator(self, stage: Stage) -> None:
        assert 'from="127.0.0.1,::1,10.0.0.10",' in line(stage)

    def test_what_is_installed_is_not_installed_again(self, stage: Stage) -> None:
        stage.perform()
        assert stage.look() == []

    def test_it_is_taken_away_again(self, stage: Stage) -> None:
        before = stage.old.picture(), stage.new.picture()
        for change in reversed(stage.perform()):
            assert not isinstance(change.undo, Undo)
            stage.executor.execute(change.undo)
        assert (stage.old.picture(), stage.new.picture()) == before
        assert installed(stage.context()) == ()

    @pytest.mark.parametrize(("host", "path"), [("old", f"{KEY}.push"), ("new", AUTHORIZED)])
    def test_each_part_counts(self, stage: Stage, host: str, path: str) -> None:
        files = stage.world.host(host).files
        files[path] = files.get(path, b"") + b"x migrate:example-mail\n"
        assert installed(stage.context()) == (host,)
