"""The bridge over a reload: what it leads where, and that it leaves nothing behind. The lab runs it for real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from migrator.hosts.bridge import PREFIX, bridged
from migrator.hosts.daemon import reload_and_prove
from tests.fakes import make_facts


def run(folder: Path, *, sendmail: int = 1) -> tuple[int, list[str], str]:
    """Run a bridged reload with stand-ins for the programs; return its status, the calls made, and its complaints."""
    for name, status in (("sendmail", sendmail), ("iptables", 1)):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{folder}/calls"\nexit {status}\n')
        program.chmod(0o755)
    script = bridged(f'echo reload >>"{folder}/calls"\nexit 7\n')
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    return done.returncode, (folder / "calls").read_text().splitlines(), done.stderr


def test_the_reload_happens_and_counts_also_where_there_is_no_bridge(tmp_path: Path) -> None:
    status, calls, complaints = run(tmp_path)
    assert status == 7
    assert "reload" in calls
    assert "for some milliseconds they are refused" in complaints


def test_the_second_daemon_is_told_from_the_real_one_by_its_title(tmp_path: Path) -> None:
    _, calls, _ = run(tmp_path)
    assert calls[0].startswith("sendmail -bd -ODaemonPortOptions=Name=bridge,Port=1002")
    assert f"-OProcessTitlePrefix={PREFIX}" in calls[0]
    assert f"'sendmail: {PREFIX}: accepting '*) continue" in reload_and_prove(make_facts())


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls", "iptables", "sendmail"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_it_is_a_script_that_shells_read(shell: str) -> None:
    assert subprocess.run([shell, "-n", "-c", bridged("true\n")], timeout=20).returncode == 0
