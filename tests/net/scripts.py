"""Running shell text with stand-in programs, as the firewall and timer tests do."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a script did: its exit status, and what it printed."""

    status: int
    output: str
    complaint: str


class Programs:
    """A folder of stand-in programs that come before the real ones; each is a few lines of sh."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, script: str) -> None:
        program = self.folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def run(self, script: str) -> Ran:
        """Run it as a part of a strict script, as the steps do: what works there works on its own."""
        environment = {**os.environ, "PATH": f"{self.folder}:/usr/bin:/bin", "FOLDER": str(self.folder)}
        done = subprocess.run(
            ["sh", "-e", "-u", "-s"],
            input=f"(\n{script}\n)\n",
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""
