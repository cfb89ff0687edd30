"""`check --remove-keys` takes a left key away and nothing else; `check --sudoers` prints the rules."""

from __future__ import annotations

import json

import pytest

from migrator.journal import Lock
from tests.cli.conftest import Desk

AUTHORIZED = "/root/.ssh/authorized_keys"
KEY = "/root/.ssh/migrate-example-mail"
MINE = b"ssh-ed25519 AAAAadmin admin@desk\n"


@pytest.fixture
def left(desk: Desk) -> Desk:
    """Return a desk whose hosts have the key of a run that nobody knows of any more."""
    desk.world.old.files[AUTHORIZED] = MINE + b"restrict ssh-ed25519 AAAA migrate:example-mail\n"
    desk.world.new.files[KEY] = b"private"

    def forget_old(*_: object) -> str:
        desk.world.old.files[AUTHORIZED] = MINE
        return ""

    def forget_new(*_: object) -> str:
        del desk.world.new.files[KEY]
        return ""

    desk.world.old.on("sed '/.*migrate:example-mail", forget_old)
    desk.world.new.on(f"rm -f {KEY} ", forget_new)
    return desk


class TestRemoveKeys:
    def test_an_abandoned_key_is_removed_from_both_hosts(self, left: Desk) -> None:
        before = dict(left.world.old.files)
        result = left.type("check", "--remove-keys")
        assert (result.exit_code, result.stdout) == (
            0,
            "the key of example-mail is removed from the old host and the new host\n",
        )
        assert left.world.old.files == before | {AUTHORIZED: MINE}
        assert (len(left.world.old.performed), len(left.world.new.performed)) == (1, 1)

    def test_where_there_is_none_nothing_is_done(self, desk: Desk) -> None:
        result = desk.type("check", "--remove-keys", "--json")
        assert json.loads(result.stdout) == {"kind": "keys_removed", "name": "example-mail", "hosts": []}
        assert desk.world.old.performed == desk.world.new.performed == []

    def test_a_part_that_stays_is_a_failure(self, left: Desk) -> None:
        left.world.new.on(f"rm -f {KEY} ", "")
        result = left.type("check", "--remove-keys")
        assert result.exit_code == 1
        assert "still there" in result.stderr

    def test_a_run_that_is_under_way_keeps_its_key(self, left: Desk) -> None:
        with Lock(left.state):
            result = left.type("check", "--remove-keys", "--yes")
        assert result.exit_code == 4
        assert KEY in left.world.new.files

    def test_a_migration_that_did_not_end_keeps_it_unless_it_is_given_up(self, left: Desk) -> None:
        left.type("run", "--until", "survey")
        result = left.type("check", "--remove-keys")
        assert result.exit_code == 3
        assert "was begun and did not end" in result.stderr
        assert "--remove-keys --yes" in result.stderr
        assert KEY in left.world.new.files
        assert left.type("check", "--remove-keys", "--yes").exit_code == 0
        assert KEY not in left.world.new.files

    def test_a_finished_one_needs_no_yes(self, left: Desk) -> None:
        left.type("run", "--yes")
        assert left.type("check", "--remove-keys").exit_code == 0
        assert KEY not in left.world.new.files


class TestSudoers:
    def test_each_host_gets_its_rule_or_the_word_that_none_is_needed(self, desk: Desk) -> None:
        plan = desk.plan.read_text()
        desk.plan.write_text(
            plan.replace('ssh = "root@198.51.100.10"', 'ssh = "admin@198.51.100.10"\nsudo = true')
        )
        result = desk.type("check", "--sudoers")
        assert result.exit_code == 0
        assert [line for line in result.stdout.splitlines() if line and not line.startswith("#")] == [
            "Defaults:admin !requiretty",
            "admin ALL=(root) NOPASSWD: /bin/sh -s, /bin/sh -c *",
        ]
        assert "# For the new host, 198.51.100.20: root logs in" in result.stdout
        assert set(json.loads(desk.type("check", "--sudoers", "--json").stdout)) == {"kind", "old", "new"}

    def test_no_host_is_contacted(self, desk: Desk) -> None:
        desk.world.old.lost = desk.world.new.lost = True
        assert desk.type("check", "--sudoers").exit_code == 0

    def test_a_user_that_sudoers_would_misread_is_exit_2(self, desk: Desk) -> None:
        desk.plan.write_text(
            desk.plan.read_text().replace('"root@198.51.100.10"', '"OPERATORS@198.51.100.10"\nsudo = true')
        )
        result = desk.type("check", "--sudoers")
        assert result.exit_code == 2
        assert "no plain name of a user" in result.stderr

    def test_both_at_once_are_no_command(self, desk: Desk) -> None:
        assert desk.type("check", "--sudoers", "--remove-keys").exit_code == 2
