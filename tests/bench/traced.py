"""`migrate`, with a note of every command on its connections: which host, for which step, how long.

`python -m tests.bench.traced FILE run PLAN …` writes one JSON line for each to FILE, and at the end one of the process.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

STEPS = "/migrator/steps/"
PROGRAM = "/migrator/"
ENGINE = "/migrator/engine/run.py"
HIDDEN = ("/migrator/hosts/ssh.py", "/migrator/engine/", "/migrator/cli/")


class Tracer:
    """Writes what it is told, each with its begin and end in seconds since the epoch."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writing = threading.Lock()
        self._inside = threading.local()

    def wrap(self, owner: type, name: str, kind: str, host: Callable[[Any], str]) -> None:
        """Note each call of a method; one that another noted one makes is a part of that."""
        inner = getattr(owner, name)

        def noted(this: Any, *arguments: Any, **options: Any) -> Any:
            if getattr(self._inside, "busy", False):
                return inner(this, *arguments, **options)
            with self.noting(kind, host(this), arguments):
                return inner(this, *arguments, **options)

        setattr(owner, name, noted)

    @contextmanager
    def noting(self, kind: str, host: str, arguments: tuple[Any, ...]) -> Iterator[None]:
        """Note what is done inside the block."""
        self._inside.busy = True
        (step, asked), began = caller(), time.time()
        what = shown(arguments)
        try:
            yield
        finally:
            self._inside.busy = False
            facts = {"kind": kind, "host": host, "step": step, "asked": asked, "what": what}
            self.write(**facts, began=began, ended=time.time())

    def write(self, **facts: Any) -> None:
        """Write one line."""
        with self._writing:
            self._stream.write(json.dumps(facts) + "\n")
            self._stream.flush()


class Waits:
    """The time as steps know it, each sleep noted."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        with self._tracer.noting("sleep", "operator", (f"{seconds} s",)):
            time.sleep(seconds)


def caller() -> tuple[str, str]:
    """Return which step is under way, and which function of the steps asked (or of what else of the program)."""
    step = asked = other = ""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        path, function = frame.f_code.co_filename, frame.f_code.co_name
        if not asked and STEPS in path:
            asked = f"{path.partition(STEPS)[2]}:{function}"
        if not other and PROGRAM in path and not any(part in path for part in HIDDEN):
            other = f"{path.partition(PROGRAM)[2]}:{function}"
        if path.endswith(ENGINE) and function == "_step":
            step = frame.f_locals["step"].name
        frame = frame.f_back
    return step, asked or other


def shown(arguments: tuple[Any, ...]) -> str:
    """Return the first words of what was asked."""
    first = arguments[0] if arguments else ""
    text = " ".join(first) if isinstance(first, list | tuple) else str(first)
    return " ".join(text.split())[-80:]


def peak() -> int:
    """Return the most memory that this process has had, in bytes (proc(5), VmHWM)."""
    # What getrusage(2) tells holds the process that started this one as well.
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def main() -> int:
    """Run the program with its commands noted, and return its exit code."""
    from migrator.cli import main as migrate
    from migrator.cli import wiring
    from migrator.cli.wiring import PlanNames, PortMail
    from migrator.executor import LiveExecutor, RsyncCopies
    from migrator.executor.pulling import Puller
    from migrator.hosts.connection import Opener
    from migrator.hosts.ssh import SshHost
    from migrator.hosts.web import PlainWeb

    with Path(sys.argv[1]).open("w") as stream:
        tracer = Tracer(stream)
        tracer.wrap(Puller, "pull", "rsync", lambda _this: "new")
        for name in ("_home", "_probe"):
            tracer.wrap(LiveExecutor, name, name.strip("_"), lambda _this: "new")
        tracer.wrap(RsyncCopies, "differences", "verification", lambda _this: "new")
        tracer.wrap(RsyncCopies, "homeless", "verification", lambda _this: "new")
        for name, kind in (("_look", "read"), ("perform", "change"), ("raw", "raw")):
            tracer.wrap(SshHost, name, kind, lambda host: str(host.name))
        tracer.wrap(Opener, "open", "connect", lambda opener: str(opener._name))
        for owner, name in ((PlanNames, "authoritative"), (PlanNames, "resolvers"), (PortMail, "recipient")):
            tracer.wrap(owner, name, "ask", lambda _this: "operator")
        tracer.wrap(PlainWeb, "head", "ask", lambda _this: "operator")
        vars(wiring)["time"] = Waits(tracer)
        sys.argv[1:] = sys.argv[2:]
        began, code = time.time(), 0
        try:
            migrate()
        except SystemExit as ended:
            code = int(ended.code or 0)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime
        tracer.write(kind="process", began=began, ended=time.time(), peak=peak(), cpu=cpu)
    return code


if __name__ == "__main__":
    sys.exit(main())
