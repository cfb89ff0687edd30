"""An exit code holds, whoever listens: a pipe may be closed, and a terminal may be gone with its SIGHUP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def unread() -> Iterator[int]:
    """Yield the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("unheard", [("stdout",), ("stderr",), ("stdout", "stderr")])
def test_a_wrong_plan_is_exit_2_also_where_nobody_is_told(
    tmp_path: Path, unread: int, options: tuple[str, ...], unheard: tuple[str, ...]
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("[migration]\n")
    streams = {name: unread if name in unheard else subprocess.DEVNULL for name in ("stdout", "stderr")}
    argv = [sys.executable, "-m", "migrator", "run", str(plan), *options]
    ended = subprocess.run(argv, stdout=streams["stdout"], stderr=streams["stderr"], check=False)
    assert ended.returncode == 2


def test_a_closed_standard_output_does_not_silence_the_errors(tmp_path: Path, unread: int) -> None:
    argv = [sys.executable, "-m", "migrator", "run", str(tmp_path / "none.toml"), "--json"]
    ended = subprocess.run(argv, stdout=unread, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, "none.toml" in ended.stderr) == (2, True)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_before_leads_nowhere_and_no_file_takes_its_place(
    closed: str, tmp_path: Path
) -> None:
    text = (
        "import sys\nfrom pathlib import Path\nfrom migrator.cli.streams import filled\nfilled()\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    sys.stdout.write('x'), sys.stdout.flush(), sys.stderr.write('x'), sys.stdin.isatty()\n"
        "    file.write(str(file.fileno()))\n"
    )
    path = tmp_path / "journal"
    line = f'exec "$1" -c "$2" "$3" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, text, str(path)],
        timeout=60,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(path.read_text()) > 2
