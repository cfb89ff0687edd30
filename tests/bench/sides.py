"""The two sides that are compared: the recipe's commands, and the program's own passes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.change import Rsync
from migrator.cli.wiring import Tools, wired
from migrator.plan import load
from migrator.steps.common.passes import Scope, expect_equal, one_pass
from tests.lab.lab import Lab
from tests.lab.recipe import TREES

LONG = 1800
COPY = "/var/www/web1/recipe"
"""Where the recipe's copy stands on the new host: on the same file system, and in no tree of the plan."""


def shell(lab: Lab, role: str, script: str) -> float:
    """Run a script inside a host and return how many seconds it took. Raise CalledProcessError where it fails."""
    began = time.monotonic()
    argv = ["docker", "exec", lab.container_id(role), "bash", "-c", script]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=LONG)
    return time.monotonic() - began


def python(lab: Lab, role: str, source: Path, *arguments: str) -> float:
    """Run a Python file of ours inside a host and return how many seconds it took."""
    began = time.monotonic()
    argv = ["docker", "exec", lab.container_id(role), "python3", "-c", source.read_text(), *arguments]
    subprocess.run(argv, check=True, timeout=LONG)
    return time.monotonic() - began


class Recipe:
    """The recipe's rsync commands, one for each tree, typed on the new host."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        shell(lab, "new", "cp /lab-state/operator /root/.ssh/key && chmod 600 /root/.ssh/key")

    def copy(self, into: str = COPY) -> float:
        """Copy every tree and return the seconds."""
        return shell(self._lab, "new", self.commands(into))

    def commands(self, into: str = COPY) -> str:
        """Return the script of a pass."""
        ssh = "ssh -i /root/.ssh/key -p 22 -o UserKnownHostsFile=/lab-state/known_hosts"
        lines = ["set -e"]
        for tree in TREES:
            options, _, path = tree.rpartition(" ")
            lines.append(f"mkdir -p {into}{path}")
            lines.append(
                f"rsync -a -e '{ssh}' {options} {self._lab.place.old}:{path} {into}{path} || test $? = 24"
            )
        return "\n".join(lines)


class Ours:
    """The passes of the program over every tree of the plan, with all that a step does around them."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._executor = tools.live()

    def copy(
        self, scope: Scope = "changed", *, delete: bool = False, trust: bool = False
    ) -> tuple[float, float]:
        """Make a pass; return the seconds of all of it, and those of looking, comparing and copying."""
        began, copying = time.monotonic(), 0.0
        for change in one_pass(
            self._tools.context, "bench", "a pass", scope=scope, delete=delete, trust=trust
        ):
            start = time.monotonic()
            self._executor.execute(change.do)
            if isinstance(change.do, Rsync):
                copying += time.monotonic() - start
        return time.monotonic() - began, copying

    def verify(self) -> float:
        """Prove that both hosts hold the same, and return the seconds. Raise VerifyFailed where they do not."""
        began = time.monotonic()
        expect_equal(self._tools.context)
        return time.monotonic() - began


@contextmanager
def ours(lab: Lab) -> Iterator[Ours]:
    """Yield the program's side of a lab, with connections of its own."""
    with wired(load(lab.plan_path), frozenset(), lambda _event: None) as tools:
        yield Ours(tools)
