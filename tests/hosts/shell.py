"""Running the scripts for hosts with the shells that hosts have."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]
each_shell = pytest.mark.parametrize("shell", SHELLS)


def run(
    shell: str, script: str, *, temporary: Path | None = None, timeout: float = 30
) -> subprocess.CompletedProcess[str]:
    """Hand a script to `sh -s`, as ssh does, with its temporary files in a folder of the test."""
    environment = dict(os.environ)
    if temporary is not None:
        temporary.mkdir(exist_ok=True)
        environment["TMPDIR"] = str(temporary)
    return subprocess.run(
        [shell, "-s"],
        input=script,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
        env=environment,
    )
