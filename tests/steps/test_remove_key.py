"""Nothing that opens the old host stays behind, and nothing else is touched."""

from __future__ import annotations

import pytest

from migrator.change import Undo
from migrator.errors import VerifyFailed
from migrator.steps.install_key import InstallKey
from migrator.steps.remove_key import RemoveKey
from tests.steps.simulation import FILES
from tests.steps.stage import Stage, script, summaries

KEY = "/root/.ssh/migrate-example-mail"


@pytest.fixture
def stage() -> Stage:
    stage = Stage(InstallKey())
    stage.perform()
    stage.step = RemoveKey()
    return stage


def test_both_hosts_lose_their_part(stage: Stage) -> None:
    changes = stage.perform()
    assert summaries(changes) == [
        "remove the run's key from the old host",
        "remove the run's key from the new host",
    ]
    assert {change.undo for change in changes} == {Undo.NOT_NEEDED}
    assert stage.old.files["/root/.ssh/authorized_keys"] == FILES["/root/.ssh/authorized_keys"].encode()
    assert not [path for path in (*stage.old.files, *stage.new.files) if "migrate" in path]
    stage.verify()
    assert stage.look() == []


def test_the_folder_of_the_runs_state_goes_from_the_host_that_has_it(stage: Stage) -> None:
    stage.new.on(r"echo kept", "kept\n")
    change = stage.look()[-1]
    assert change.summary == "remove the run's key and /var/lib/migrate/example-mail from the new host"
    forgetting = "rm -rf /var/lib/migrate/example-mail\nrmdir /var/lib/migrate 2>/dev/null || :\n"
    assert script(change).endswith(forgetting)
    assert script(change) != forgetting


def test_a_host_without_a_part_is_left_alone(stage: Stage) -> None:
    for path in (KEY, f"{KEY}.pub", f"{KEY}.known_hosts"):
        stage.new.files.pop(path)
    assert summaries(stage.look()) == ["remove the run's key from the old host"]


def test_a_part_that_is_left_fails_and_says_where(stage: Stage) -> None:
    with pytest.raises(VerifyFailed, match="still there") as failed:
        stage.verify()
    assert (failed.value.host, failed.value.seen) == ("old", "a part of it on old and new")
