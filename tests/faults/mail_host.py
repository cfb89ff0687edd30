"""What the faults' tests ask of a host, and how a run has to fail."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.lab.lab import Lab
from tests.lab.scene import Scene, scene

LISTENER = """
for process in /proc/[0-9]*; do
    if { tr '\\0' ' ' <$process/cmdline; } 2>/dev/null | grep -q '^sendmail: MTA: accepting connections'; then
        echo "${process#/proc/} $(sed 's/.*) //' $process/stat | cut -d ' ' -f 20)"
    fi
done
"""


def calm(lab: Lab) -> AbstractContextManager[Scene]:
    """Return a scene that leaves the machine room for the fault: four messages a second, two looks at each port."""
    return scene(lab, rate=4.0, reading=4.0, beat=0.5)


def refused(
    lab: Lab, code: int, *options: str, command: str = "run", wait: bool = True, seconds: float = 600.0
) -> str:
    """Run `migrate` to its end and return what it told on standard error (a rehearsal or a check: all of it).

    Raise AssertionError where it does not end with this code, or tells a traceback.
    """
    answers: tuple[str, ...] = ()
    if command == "run" and "--dry-run" not in options:
        answers = ("--yes", "--wait") if wait else ("--yes",)
    done = lab.migrate(command, *answers, *options, seconds=seconds)
    told = f"{done.stdout}\n{done.stderr}" if not answers else done.stderr
    assert done.returncode == code, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in told, told
    return " ".join(told.split())


def expect_words(told: str, *words: str) -> None:
    """Raise AssertionError where something that an operator has to read is not there."""
    missing = [word for word in words if word.lower() not in told.lower()]
    assert not missing, f"{missing} not in: {told}"


def listener(lab: Lab, role: str) -> str:
    """Return which process takes mail on a host: its number and since when it runs."""
    return lab.shell(role, LISTENER).strip()


def configuration(lab: Lab, role: str) -> str:
    """Return a digest of each file of Sendmail's configuration, without the maps built of them."""
    return lab.shell(
        role, "cd /etc/mail && find . -type f ! -name '*.db' ! -name '*.bak' | sort | xargs sha256sum"
    )
