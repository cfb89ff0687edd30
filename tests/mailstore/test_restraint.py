"""A busy host pauses the copy, and never for so long that the copy breaks off."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.mailstore import restraint
from migrator.mailstore.restraint import Restraint
from migrator.mailstore.rsync import STALL


class Governed:
    """A process in the place of rsync, which the shell became that started the governor."""

    def __init__(self, folder: Path) -> None:
        self.loadavg = folder / "loadavg"
        self.load("0.05")
        governor = Restraint(max_load=4).governor_script(loadavg=str(self.loadavg), every=1)
        # Looked at more often than hosts are, so that this is short.
        governor = governor.replace("sleep 1", "sleep 0.05")
        self.process = subprocess.Popen(["sh", "-c", f"{governor}exec sleep 60"], stdout=subprocess.PIPE)

    def load(self, figure: str) -> None:
        new = self.loadavg.with_suffix(".new")
        new.write_text(f"{figure} 1.00 1.00 1/100 1\n")
        new.replace(self.loadavg)

    @property
    def stopped(self) -> bool:
        return Path(f"/proc/{self.process.pid}/stat").read_text().split()[2] == "T"

    def becomes(self, stopped: bool) -> bool:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.stopped == stopped:
                return True
            time.sleep(0.02)
        return False

    def governor(self) -> str:
        """Return the number of the process that watches, which the shell may not have started yet."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if len(children) == 1:
                return children[0]
            time.sleep(0.02)
        raise AssertionError("the shell started no governor")

    def end(self) -> None:
        self.process.kill()
        # The governor keeps no stream, so this does not wait for it.
        self.process.communicate(timeout=5)


@pytest.fixture
def governed(tmp_path: Path) -> Iterator[Governed]:
    running = Governed(tmp_path)
    yield running
    running.end()


def test_it_goes_on_below_the_limit(governed: Governed) -> None:
    governed.load("4.00")
    time.sleep(0.3)
    assert not governed.stopped


def test_above_the_limit_it_stops_until_the_load_is_well_below(governed: Governed) -> None:
    governed.load("4.01")
    assert governed.becomes(stopped=True)
    governed.load("3.21")
    time.sleep(0.3)
    assert governed.stopped
    governed.load("3.19")
    assert governed.becomes(stopped=False)


def test_a_pause_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restraint, "LONGEST_PAUSE", 3)
    governed = Governed(tmp_path)
    try:
        governed.load("99.00")
        assert governed.becomes(stopped=True)
        assert governed.becomes(stopped=False)
        time.sleep(0.3)
        assert not governed.stopped  # for it has a rest before it is stopped again
    finally:
        governed.end()


def test_the_governor_ends_with_what_it_governs(governed: Governed) -> None:
    governor = governed.governor()
    governed.process.kill()
    governed.process.communicate(timeout=5)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{governor}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{governor}/fd").exists()


def test_without_a_limit_nothing_watches() -> None:
    assert Restraint().governor_script() == ""
    assert Restraint().prefix_script() == "gentle=''\n"


def test_a_pause_is_shorter_than_the_patience_of_rsync() -> None:
    assert 2 * restraint.LONGEST_PAUSE < STALL


class TestOwnLimits:
    """Without a figure of the plan, a copy keeps below the load at which the host's Sendmail closes its port."""

    def limit(self, folder: Path, cf: str | None, shell: str = "sh") -> str:
        """Return the limit that the script sets, in hundredths, where the host has four processors."""
        path = folder / "sendmail.cf"
        if cf is not None:
            path.write_text(cf)
        script = Restraint(own_limits=True).governor_script(cf=str(path))
        script = script.replace("$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)", "4")
        script = script[: script.index("if [ -n")] + 'echo "$high"\n'
        return subprocess.run(
            [shell, "-c", script], capture_output=True, text=True, check=True
        ).stdout.strip()

    @pytest.mark.parametrize(
        ("cf", "limit"),
        [
            ("V10\n", 24),
            ("#O QueueLA=8\nO RefuseLA=20\n", 15),
            ("O QueueLA=8\nO RefuseLA=12\n", 6),
            ("O QueueLA=400\nO RefuseLA=400\nO DelayLA=4\n", 3),
            ("O QueueLA=400\nO RefuseLA=400\nO DelayLA=0\n", 300),
            ("O QueueLA=400\nO RefuseLA=400\nO DaemonPortOptions=Name=MTA, Port=smtp, refuseLA=40\n", 30),
        ],
    )
    def test_it_is_three_quarters_of_the_lowest(self, tmp_path: Path, cf: str, limit: int) -> None:
        assert self.limit(tmp_path, cf) == str(100 * limit)

    def test_a_host_without_sendmail_has_none(self, tmp_path: Path) -> None:
        assert self.limit(tmp_path, None) == ""

    def test_a_figure_of_the_plan_counts_alone(self) -> None:
        assert "own_limit" not in Restraint(max_load=4, own_limits=True).governor_script()

    def test_rsync_is_paused_by_it(self, tmp_path: Path) -> None:
        (tmp_path / "sendmail.cf").write_text("O QueueLA=8\nO RefuseLA=12\n")
        governor = Restraint(own_limits=True).governor_script(
            loadavg=str(tmp_path / "loadavg"), every=1, cf=str(tmp_path / "sendmail.cf")
        )
        (tmp_path / "loadavg").write_text("6.01 1.00 1.00 1/100 1\n")
        process = subprocess.Popen(["sh", "-c", f"{governor.replace('sleep 1', 'sleep 0.05')}exec sleep 60"])
        try:
            deadline = time.monotonic() + 5
            stat = Path(f"/proc/{process.pid}/stat")
            while stat.read_text().split()[2] != "T" and time.monotonic() < deadline:
                time.sleep(0.02)
            assert stat.read_text().split()[2] == "T"
        finally:
            process.kill()
            process.wait()
