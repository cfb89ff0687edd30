"""From the text of a plan to its shape, with every fault at once. Nothing is contacted."""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import replace
from pathlib import Path

from migrator.errors import Fault, PlanError
from migrator.plan import copying, places, sections, values
from migrator.plan.files import absent
from migrator.plan.lines import Lines
from migrator.plan.sendmail import sendmail
from migrator.plan.shapes import HostPlan, Plan
from migrator.plan.tables import Faults, Table

_NONE: tuple[str, ...] = ()
_LARGEST = 1_000_000  # bytes; a plan has a hundred lines
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""What a text of another encoding begins with (The Unicode Standard, 23.8)."""
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
_NAME = values.matching(r"[a-z0-9][a-z0-9-]{0,39}", "1 to 40 of a-z, 0-9 and -, beginning with none of -")


def load(path: Path, *, state_root: Path | None = None, files: bool = False) -> Plan:
    """Given the path of a plan, and the folder of all state if not `.migrate` beside it, return the plan.

    With `files`, a file of this machine that the plan names and that is not there is a fault, too.

    Raises PlanError with every fault: its dotted key, its line, and why.
    """
    path = path.absolute()
    text = _text(path)
    parsed, lines = _parsed(path, text)
    faults = Faults(lines)
    root = Table(parsed, "", faults)
    plan = _plan(root, path, faults, state_root)
    root.close()
    if files:
        for key, complaint in absent(plan, lambda key, _path: lines.holds(key)).items():
            if not faults.concern(key):
                faults.add(key, complaint)
    if found := faults.in_order():
        raise PlanError(str(path), found)
    return plan


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; `migrate init {path.name}` writes a plan to fill in"
        raise PlanError(str(path), [Fault("", None, reason)]) from None
    if len(content) > _LARGEST:
        raise PlanError(str(path), [Fault("", None, f"is larger than {_LARGEST} bytes: this is no plan")])
    try:
        # Editors of Windows write a mark before UTF-8 (RFC 3629, 6), and may write another encoding.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PlanError(str(path), [_no_utf_8(content, line)]) from None
    if "\0" in text:
        raise PlanError(str(path), [_no_utf_8(content, None)])
    return text


def _no_utf_8(content: bytes, line: int | None) -> Fault:
    """Return the fault of a text of another encoding: by its mark, or by the NUL that half of its characters hold."""
    found = next(
        (name for mark, name in _MARKS if content.startswith(mark)), "UTF-16" if line is None else ""
    )
    if found:
        return Fault("", None, f"is {found} text, by its bytes: save it as UTF-8")
    return Fault("", line, "is not UTF-8 text: save it as UTF-8")


def _parsed(path: Path, text: str) -> tuple[dict[str, object], Lines]:
    try:
        return tomllib.loads(text), Lines(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else text.rstrip().count("\n") + 1
        reason = f"is not TOML: {_AT_LINE.sub('', str(error)).strip()}"
        raise PlanError(str(path), [Fault("", line, reason)]) from None
    except RecursionError:
        raise PlanError(str(path), [Fault("", None, "is nested too deeply: this is no plan")]) from None
    except ValueError:  # Python reads no decimal number of more than 4300 digits
        raise PlanError(str(path), [Fault("", None, "holds a number without end: this is no plan")]) from None


def _plan(root: Table, path: Path, faults: Faults, state_root: Path | None) -> Plan:
    migration = root.table("migration")
    domains = migration.required("domains", _domains, _NONE)
    tables = (root.table("old"), root.table("new"))
    old, new = (sections.host(table, path.parent, faults) for table in tables)
    sections.check_hosts_differ(old, new, faults)
    new = _set_up(tables[1], new, path.parent, domains, faults)
    trees, how = copying.copies(root, old, new, faults)
    return Plan(
        path=path,
        name=migration.required("name", _NAME, ""),
        domains=domains,
        mail_host=migration.required("mail_host", places.domain, ""),
        old=old,
        new=new,
        sync=trees,
        dns=sections.dns(root.table("dns"), path.parent, faults),
        copying=how,
        cutover=sections.cutover(root.table("cutover")),
        smoke=sections.smoke(root.table("smoke"), domains, faults),
        webmail=sections.webmail(root.table("webmail"), faults) if root.has("webmail") else None,
        state_root=state_root,
    )


def _set_up(table: Table, new: HostPlan, folder: Path, domains: tuple[str, ...], faults: Faults) -> HostPlan:
    if not table.has("sendmail"):
        return new
    return replace(new, sendmail=sendmail(table.table("sendmail"), folder, domains, faults))


def _domains(value: object) -> tuple[str, ...]:
    domains = values.list_of(places.domain)(value)
    values.without_twins(domains)
    return domains
