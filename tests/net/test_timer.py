"""A host that acts by itself: set, replaced, cancelled, gone off.

`sleep` is a stand-in that waits for a file, so that the test says when the time is up.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.errors import MigrateError
from migrator.net.timer import FIRED, cancel_script, fired_script, forget_script, timer_script
from migrator.retry import poll
from tests.net.scripts import Programs

ACTION = 'echo "opened by it\'s $USER_OF_TEST" >>"$FOLDER/done"'


class Host(Programs):
    """A host whose timers go off when the test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.marker = str(folder / "state" / "reopened")
        (folder / "state").mkdir()
        waits = 'while [ -d "$FOLDER" ] && [ ! -e "$FOLDER/elapsed" ]; do /bin/sleep 0.02; done'
        self.add("sleep", f'echo "$1" >>"$FOLDER/slept"\n{waits}')
        self.add("systemd-run", "exit 1")

    def set(self, action: str = ACTION, seconds: int = 120) -> int:
        ran = self.run(timer_script(seconds, action, self.marker))
        assert ran.output == ""
        return ran.status

    def cancel(self) -> None:
        ran = self.run(cancel_script(self.marker))
        assert (ran.status, ran.output) == (0, "")

    def elapse(self) -> None:
        (self.folder / "elapsed").touch()

    def running(self) -> list[str]:
        """The timers that are set, by the processes that wait."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [os.fsdecode(word) for word in words if word.startswith(os.fsencode(self.marker))]
        return found

    def settle(self) -> None:
        assert poll(lambda: not self.running(), timeout=10, interval=0.02), "a timer is still there"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.elapse()
    host.settle()


def test_the_action_runs_when_the_time_is_up_and_says_when(host: Host) -> None:
    before = int(time.time())
    assert host.set() == 0
    assert poll(lambda: host.text("slept"), timeout=5, interval=0.02) == "120\n"
    assert host.run(fired_script(host.marker)).output == ""
    assert not host.text("done")
    host.elapse()
    host.settle()
    assert host.text("done").startswith("opened by it's")
    assert before <= int(host.run(fired_script(host.marker)).output) <= int(time.time())


def test_setting_it_twice_leaves_one_timer(host: Host) -> None:
    assert host.set() == 0
    assert host.set('echo second >>"$FOLDER/done"') == 0
    assert poll(lambda: len(host.running()) == 1, timeout=5, interval=0.02)
    host.elapse()
    host.settle()
    assert host.text("done") == "second\n"


def test_a_cancelled_timer_never_acts(host: Host) -> None:
    host.set()
    host.cancel()
    host.settle()
    host.elapse()
    host.cancel()
    assert host.text("done") == ""
    assert list((host.folder / "state").iterdir()) == []


def test_a_timer_that_went_off_is_not_silently_set_anew(host: Host) -> None:
    host.set()
    host.elapse()
    host.settle()
    assert host.set() == FIRED
    host.run(forget_script(host.marker))
    (host.folder / "elapsed").unlink()
    assert host.set() == 0


def test_cancelling_too_late_keeps_the_marker(host: Host) -> None:
    host.set()
    host.elapse()
    host.settle()
    host.cancel()
    assert host.run(fired_script(host.marker)).output != ""


def test_an_action_that_fails_is_tried_again(host: Host) -> None:
    host.set(
        'echo try >>"$FOLDER/tries"; [ $(wc -l <"$FOLDER/tries") -ge 3 ] || exit 1; echo ok >"$FOLDER/done"'
    )
    host.elapse()
    host.settle()
    assert host.text("tries") == "try\n" * 3
    assert host.text("done") == "ok\n"


def test_an_action_with_a_document_of_its_own_arrives_whole(host: Host) -> None:
    host.set("cat >\"$FOLDER/done\" <<'RULES'\na $(b) `c` \\d %e ${f}\nRULES")
    host.elapse()
    host.settle()
    assert host.text("done") == "a $(b) `c` \\d %e ${f}\n"


def test_where_systemd_runs_the_timer_is_its_own(host: Host) -> None:
    host.add("systemd-run", 'echo "$@" >>"$FOLDER/units"')
    host.add("systemctl", 'echo "$@" >>"$FOLDER/stopped"')
    host.set()
    host.set()
    first, second = host.text("units").splitlines()
    assert "--on-active=120s --timer-property=AccuracySec=100ms /bin/sh" in first
    assert host.running() == []
    units = [line.split("--unit=")[1].split()[0] for line in (first, second)]
    assert host.text("stopped") == f"stop {units[0]}.timer\n"
    host.cancel()
    assert host.text("stopped").splitlines()[1] == f"stop {units[1]}.timer"


@pytest.mark.parametrize(
    "path", ["reopened", "/run/a b", "/run/$(reboot)", "/run/a;b", "/run/a\nb", "/run/../etc/x", "/"]
)
def test_only_plain_paths_are_taken(path: str) -> None:
    for make in (cancel_script, fired_script, forget_script, lambda marker: timer_script(60, "true", marker)):
        with pytest.raises(MigrateError):
            make(path)


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_timer_needs_a_positive_time(seconds: int) -> None:
    with pytest.raises(MigrateError):
        timer_script(seconds, "true", "/run/reopened")


def test_an_action_cannot_end_its_own_document() -> None:
    with pytest.raises(MigrateError):
        timer_script(60, "true\nEND_OF_ACTION\nreboot", "/run/reopened")
