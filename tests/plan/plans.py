"""The minimal plan that tests vary, and what is wrong with a variation."""

from __future__ import annotations

from pathlib import Path

from migrator.errors import Fault, PlanError
from migrator.plan import Plan, load

MINIMAL = """\
[migration]
name = "example-mail"
domains = ["example.test"]
mail_host = "mail.example.test"
[old]
ssh = "root@198.51.100.10"
address = "198.51.100.10"
[new]
ssh = "root@198.51.100.20"
address = "198.51.100.20"
"""


def write(folder: Path, text: str) -> Path:
    """Write a plan into a folder and return its path."""
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, *, add: str = "", **replaced: str) -> Plan:
    """Return the minimal plan with lines added, and with keys (`old_ssh` for [old] ssh) replaced."""
    return load(write(folder, vary(add=add, **replaced)))


def vary(*, add: str = "", **replaced: str) -> str:
    """Return the minimal plan's text with lines added and values replaced; "" takes the whole line away."""
    lines, table = [], ""
    for line in MINIMAL.splitlines():
        table = line.strip("[]") if line.startswith("[") else table
        name = f"{table}_{line.partition(' ')[0]}"
        if name not in replaced:
            lines.append(line)
        elif replaced[name]:
            lines.append(f"{line.partition(' ')[0]} = {replaced[name]}")
    return "\n".join(lines) + "\n" + add


def faults(folder: Path, text: str) -> tuple[Fault, ...]:
    """Return all faults of a plan; none if it is right."""
    try:
        load(write(folder, text))
    except PlanError as error:
        return error.faults
    return ()


def fault(folder: Path, *, add: str = "", **replaced: str) -> Fault:
    """Return the one fault of a variation of the minimal plan."""
    found = faults(folder, vary(add=add, **replaced))
    assert len(found) == 1, found
    return found[0]
