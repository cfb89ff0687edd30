"""What will be edited is kept on the host first, in a folder that only root reads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from migrator.change import Undo
from migrator.errors import VerifyFailed
from migrator.hosts.base import Output
from migrator.steps.backup import Backup
from tests.hosts.shell import each_shell, run
from tests.steps.stage import Stage, script, summaries

FOLDER = "/var/backups/migrate/example-mail/20261129T120000Z"


@pytest.fixture
def stage() -> Stage:
    return Stage(Backup())


def test_each_host_has_a_dated_folder_that_is_remembered_and_stays(stage: Stage) -> None:
    changes = stage.perform()
    assert summaries(changes) == [
        f"back up Sendmail's configuration on the {host} host to {FOLDER}" for host in ("old", "new")
    ]
    assert {change.undo for change in changes} == {Undo.NOT_NEEDED}
    assert stage.memory == {"backup.old": FOLDER, "backup.new": FOLDER}


def test_a_backup_is_never_made_again_over_files_that_were_edited_since(stage: Stage) -> None:
    stage.memory["backup.old"] = FOLDER
    stage.world.clock.sleep(3600)
    assert [change.do.host for change in stage.perform()] == ["new"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/mail/sendmail.mc",
        "/etc/mail/sendmail.cf",
        "/etc/mail/access",
        "/etc/mail/access.db",
        "/etc/aliases",
    ],
)
def test_what_the_recipe_names_is_in_it(stage: Stage, path: str) -> None:
    assert all(f" {path} " in script(change) for change in stage.look())


def test_the_login_users_authorized_keys_are_in_it(stage: Stage) -> None:
    stage.facts("old", home="/home/it's admin")
    assert "'/home/it'\"'\"'s admin/.ssh/authorized_keys'" in script(stage.look()[0])


@each_shell
def test_files_are_copied_below_the_folder_links_followed_and_missing_ones_passed_over(
    stage: Stage, shell: str, tmp_path: Path
) -> None:
    home, root = tmp_path / "a home", tmp_path / "backups"
    (home / ".ssh").mkdir(parents=True)
    (tmp_path / "real").write_text("key\n")
    (home / ".ssh/authorized_keys").symlink_to(tmp_path / "real")
    stage.facts("old", home=str(home))
    text = script(stage.look()[0]).replace(FOLDER, str(root))
    text = re.sub(r" /etc/\S+", "", text)
    done = run(shell, text)
    assert (done.returncode, done.stderr) == (0, "")
    kept = root / f".{home}/.ssh/authorized_keys"
    assert kept.read_text() == "key\n"
    assert not kept.is_symlink()
    assert root.stat().st_mode & 0o077 == 0
    shutil.rmtree(root)


def test_a_copy_that_differs_is_named(stage: Stage) -> None:
    stage.perform()
    stage.verify()
    stage.new.on("cmp -s", Output(1, "/etc/aliases differs\n", ""))
    with pytest.raises(VerifyFailed, match="not equal to its original") as failed:
        stage.verify()
    assert (failed.value.host, failed.value.seen) == ("new", "/etc/aliases differs")
