"""The lab: two mail hosts and a name server in containers, and the plan of the migration between them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode
from testcontainers.core.container import DockerContainer

from tests.lab import containers, keys
from tests.lab.disk import disk
from tests.lab.place import Place
from tests.lab.planfile import plan_text
from tests.lab.slots import slot

READY_SECONDS = 90.0
"""How long the hosts may take; on a quiet machine they take three seconds."""

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Lab:
    """A running lab, as a context manager.

    `seed` is the number of messages in each mailbox of the old host; `strategy`, `lead`, `user`, `update` and
    `max_closed` go into the plan; `tracing=False` leaves SYS_PTRACE out (the restart that lies);
    `secondary=True` adds a second name server; `mounting=True` lets a test mount file systems inside the hosts;
    `volumes` are folders of the mail hosts that stand on a disk of its own for each.
    """

    strategy: str = "hold"
    lead: str = "0s"
    user: str = "root"
    update: str = "rfc2136"
    max_closed: str = "2m"
    seed: int = 10
    tracing: bool = True
    secondary: bool = False
    mounting: bool = False
    volumes: tuple[str, ...] = ()
    place: Place = field(init=False)
    folder: Path = field(init=False)
    identity: str = field(init=False)
    _hosts: dict[str, DockerContainer] = field(init=False, default_factory=dict)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(slot())
            containers.sweep()
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="migrate-lab-")))
            self.identity = f"lab-{os.getpid()}-{self.folder.name.removeprefix('migrate-lab-')}"
            self.place, network = stack.enter_context(containers.network(self.identity))
            keys.write_operator_key(self.folder)
            keys.write_tsig_key(self.folder)
            self.write_plan()
            environment = {"LAB_SEED": str(self.seed), "LAB_SECONDARY": "yes" if self.secondary else "no"}
            for role in self.roles:
                volumes = self._volumes(stack) if role in ("old", "new") else None
                self._hosts[role] = containers.describe(
                    role, self.identity, self.place, network, self.folder, environment, self.powers, volumes
                )
                stack.callback(self._hosts[role].stop)
            with ThreadPoolExecutor(len(self.roles)) as pool:
                list(pool.map(DockerContainer.start, self._hosts.values()))
            self.wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def write_plan(self) -> None:
        """Write the plan that this lab's operator would write."""
        text = plan_text(
            self.place,
            folder=f"{self.folder}/",
            strategy=self.strategy,
            lead=self.lead,
            user=self.user,
            update=self.update,
            max_closed=self.max_closed,
            secondary=self.secondary,
        )
        self.plan_path.write_text(text)

    def _volumes(self, stack: ExitStack) -> dict[str, Path] | None:
        if not self.volumes:
            return None
        root = stack.enter_context(disk())
        return {inside: root / str(number) for number, inside in enumerate(self.volumes)}

    @property
    def roles(self) -> tuple[str, ...]:
        """The hosts of this lab."""
        return ("dns", "old", "new", "secondary") if self.secondary else ("dns", "old", "new")

    @property
    def powers(self) -> tuple[str, ...]:
        """The capabilities of this lab's containers beyond Docker's own."""
        wanted = {"NET_ADMIN": True, "SYS_PTRACE": self.tracing, "SYS_ADMIN": self.mounting}
        return tuple(name for name, given in wanted.items() if given)

    @property
    def plan_path(self) -> Path:
        """The plan; the keys and later its state stand beside it."""
        return self.folder / "plan.toml"

    @property
    def state_path(self) -> Path:
        """The folder of the migration's state."""
        return self.folder / ".migrate" / "lab"

    def exec(self, role: str, *argv: str) -> tuple[int, str]:
        """Run a program inside a host as root; return its exit code and what it wrote, errors among it."""
        code, output = self._hosts[role].get_wrapped_container().exec_run(list(argv))
        return int(code), output.decode(errors="surrogateescape")

    def shell(self, role: str, script: str) -> str:
        """Run a shell script inside a host; return what it wrote. Raise AssertionError if it fails."""
        code, output = self.exec(role, "bash", "-c", script)
        assert code == 0, f"on {role}: exit {code} of {script!r}: {output}"
        return output

    def python(self, role: str, source: Path, *arguments: str) -> str:
        """Run a Python file of ours inside a host; return what it wrote. Raise AssertionError if it fails."""
        container = self._hosts[role].get_wrapped_container()
        argv = ["python3", "-c", source.read_text(), *arguments]
        code, (output, errors) = container.exec_run(argv, demux=True)
        assert code == 0, (
            f"on {role}: {source.name} ended with {code}: {(errors or b'').decode(errors='replace')}"
        )
        return str((output or b"").decode(errors="surrogateescape"))

    def start_python(self, role: str, source: Path, *arguments: str) -> None:
        """Start a Python file of ours inside a host, and do not wait for it."""
        argv = ["python3", "-c", source.read_text(), *arguments]
        self._hosts[role].get_wrapped_container().exec_run(argv, detach=True)

    def reboot(self, role: str) -> None:
        """Reboot a host, and return when all runs that it starts at boot. Raise TimeoutError where it does not.

        Processes, firewall rules, timers, /run and /tmp are gone; files and what is enabled are as they were.
        """
        self.exec(role, "/opt/lab/halt.sh")
        self._hosts[role].get_wrapped_container().restart(timeout=0)
        self._wait(partial(self.has_booted, role), role)

    def has_booted(self, role: str) -> bool:
        """Say whether a mail host has started all that it starts at boot, and can be reached."""
        return self.exec(role, "test", "-e", "/run/lab-ready")[0] == 0 and accepts(
            self.place.address(role), 22
        )

    def container_id(self, role: str) -> str:
        """Return Docker's identifier of a host."""
        return self._hosts[role].get_container_id()

    def migrate_argv(self, command: str, *options: str, plan: Path | None = None) -> list[str]:
        """Return the command line of `migrate` for this lab's plan, or another."""
        return [sys.executable, "-m", "migrator", command, str(plan or self.plan_path), *options]

    def migrate(
        self, command: str, *options: str, plan: Path | None = None, seconds: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        """Run `migrate` to its end, within the seconds, and return what it wrote and its exit code.

        Raise AssertionError where it does not end by then, with what it wrote and where each thread of it stood.
        """
        argv = self.migrate_argv(command, *options, plan=plan)
        process = subprocess.Popen(
            argv,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler(3): every thread tells where it stands
            stdout, stderr = process.communicate()
            raise AssertionError(
                f"migrate {command} had not ended after {seconds:.0f} s:\n{stdout}\n{stderr}"
            ) from None
        return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)

    def wait_until_ready(self) -> None:
        """Return when every host answers. Raise TimeoutError with the log of one that does not."""
        for role in self.roles:
            self._wait(partial(self.is_ready, role), role)

    def is_ready(self, role: str) -> bool:
        """Say whether a host answers: a name server for all its zones, a mail host when all its daemons run."""
        if role in {"dns", "secondary"}:
            return serves(self.place.address(role), self.place.zones)
        return accepts(self.place.address(role), 25) and self.has_booted(role)

    def _wait(self, ready: Callable[[], bool], role: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if time.monotonic() > deadline:
                log = self._hosts[role].get_logs()
                raise TimeoutError(f"{role} is not ready after {READY_SECONDS:.0f} s: {log!r}")
            time.sleep(0.1)


def serves(address: str, zones: Sequence[str], *, port: int = 53, seconds: float = 1.0) -> bool:
    """Say whether a name server has all these zones: one that is still being copied is a SERVFAIL."""
    try:
        answers = [
            dns.query.udp(dns.message.make_query(zone, "SOA"), address, port=port, timeout=seconds)
            for zone in zones
        ]
    except (OSError, dns.exception.DNSException):
        return False
    return all(answer.rcode() == dns.rcode.NOERROR and answer.answer for answer in answers)


def accepts(address: str, port: int, seconds: float = 1.0) -> bool:
    """Say whether a TCP connection to the port opens within the seconds."""
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return True
    except OSError:
        return False
