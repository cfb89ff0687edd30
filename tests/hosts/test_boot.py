"""Sendmail does not start at boot, and afterwards does exactly as it did."""

import os
from pathlib import Path

import pytest

from migrator.hosts import boot
from tests.hosts.shell import SHELLS, run

NAME = "example-mail"
UNIT = "etc/systemd/system/sendmail.service.d"


class Machine:
    """A folder in the place of a host's root, and a systemctl that notes what it is told."""

    def __init__(self, shell: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.root = root / "host"
        self.root.mkdir()
        self.told = root / "told"
        program = root / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$*" >>{self.told}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def link(self, path: str, target: str = "../init.d/sendmail") -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def systemd(self) -> None:
        (self.root / "run/systemd/system").mkdir(parents=True)
        (self.root / "etc/systemd/system").mkdir(parents=True)

    def does(self, script: str) -> str:
        done = run(self.shell, f"set -e\n{script}echo over\n")
        assert (done.returncode, done.stderr, done.stdout[-5:]) == (0, "", "over\n")
        return done.stdout.removesuffix("over\n")

    def hold(self, times: int = 1) -> None:
        for _ in range(times):
            self.does(boot.hold(NAME, str(self.root)))

    def release(self, times: int = 1) -> None:
        for _ in range(times):
            self.does(boot.release(NAME, str(self.root)))

    def starts(self) -> list[str]:
        found = self.does(boot.starts_script(NAME, str(self.root))).split()
        return [path.removeprefix(f"{self.root}/") for path in found]

    def tree(self) -> dict[str, tuple[int, int, str]]:
        """Return mode, age and content of everything; of a folder only that it is there."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            facts = path.lstat()
            content = (
                str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
            )
            age = 0 if path.is_dir() and not path.is_symlink() else facts.st_mtime_ns
            found[str(path.relative_to(self.root))] = (facts.st_mode, age, content)
        return found


@pytest.fixture(params=SHELLS)
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(request.param, tmp_path, monkeypatch)


@pytest.mark.parametrize("times", [1, 2])
class TestLinksOfInit:
    def test_no_runlevel_starts_it_and_nothing_else_is_touched(self, machine: Machine, times: int) -> None:
        for path in ("rc2.d/S01sendmail", "rc3.d/S80sendmail", "rc6.d/K01sendmail", "rc2.d/S01ssh"):
            machine.link(f"etc/{path}")
        assert machine.starts() == ["etc/rc2.d/S01sendmail", "etc/rc3.d/S80sendmail"]
        machine.hold(times)
        assert machine.starts() == []
        names = [path for path in machine.tree() if path.rpartition("/")[2][0] in "SK"]
        assert names == ["etc/rc2.d/S01ssh", "etc/rc6.d/K01sendmail"]
        assert not (machine.root / "etc/systemd").exists()

    def test_every_link_is_as_it_was(self, machine: Machine, times: int) -> None:
        machine.link("etc/rc2.d/S01sendmail")
        machine.link("etc/rc3.d/S80sendmail", "/etc/init.d/sendmail")
        before = machine.tree()
        machine.hold(times)
        machine.release(times)
        assert machine.tree() == before
        assert not machine.told.exists() or "enable" not in machine.told.read_text()

    def test_what_was_disabled_stays_disabled(self, machine: Machine, times: int) -> None:
        machine.link("etc/rc2.d/K01sendmail")
        before = machine.tree()
        assert machine.starts() == []
        machine.hold(times)
        machine.release(times)
        assert machine.tree() == before

    def test_another_migration_keeps_its_own(self, machine: Machine, times: int) -> None:
        machine.link("etc/rc2.d/migrate-other.S01sendmail")
        before = machine.tree()
        machine.release(times)
        assert machine.tree() == before


@pytest.mark.parametrize("times", [1, 2])
class TestSystemd:
    def test_the_unit_has_a_condition_that_fails_while_its_file_is_there(
        self, machine: Machine, times: int
    ) -> None:
        machine.systemd()
        machine.link("etc/rc2.d/S01sendmail")
        assert machine.starts() == ["sendmail.service"]
        machine.hold(times)
        assert machine.starts() == []
        file = machine.root / UNIT / f"migrate-{NAME}.conf"
        lines = file.read_text().splitlines()
        assert (lines[0], lines[-1]) == ("[Unit]", f"ConditionPathExists=!{file}")
        assert (machine.root / "etc/rc2.d/S01sendmail").is_symlink()
        assert machine.told.read_text() == "daemon-reload\n"

    def test_the_file_is_gone_and_the_folder_that_was_made_for_it(self, machine: Machine, times: int) -> None:
        machine.systemd()
        before = machine.tree()
        machine.hold(times)
        machine.release(times)
        assert machine.tree() == before
        assert machine.told.read_text() == "daemon-reload\ndaemon-reload\n"

    @pytest.mark.parametrize("files", [[], ["limits.conf"]])
    def test_a_folder_of_the_administrator_stays(
        self, machine: Machine, times: int, files: list[str]
    ) -> None:
        machine.systemd()
        (machine.root / UNIT).mkdir()
        for name in files:
            (machine.root / UNIT / name).write_text("[Service]\nLimitNOFILE=4096\n")
        before = machine.tree()
        machine.hold(times)
        machine.release(times)
        assert machine.tree() == before


def test_a_link_that_cannot_be_renamed_is_a_failure(machine: Machine) -> None:
    machine.link("etc/rc2.d/S01sendmail")
    (machine.root / "etc/rc2.d" / f"migrate-{NAME}.S01sendmail").mkdir()
    (machine.root / "etc/rc2.d" / f"migrate-{NAME}.S01sendmail" / "S01sendmail").mkdir()
    done = run(machine.shell, f"set -e\n{boot.hold(NAME, str(machine.root))}echo over\n")
    assert done.returncode != 0
    assert "over" not in done.stdout
