"""docs/reliability.md, as `make faults` writes it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TEXT = """\
# What was done to it, and what became of the mail

Every fault below is brought about in a lab of real hosts (Sendmail, sshd, rsync, BIND in containers) while senders
that retry send mail to both hosts. Then the migration is resumed or rolled back, and the account is taken: every
message that a host answered with 250 has to stand once in a mailbox of the host where it belongs. A *kill* is a SIGKILL
to `migrate` at a moment chosen by the test. `make faults` makes this page; it needs what `make test` needs, and about
{minutes:.0f} minutes.

{date}, {machine}: {tried} faults, {kills} kills among them; {accepted} messages to account for.
{verdict}

| fault | tried | what happened | lost | stranded | doubled | other | port left closed |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |
{rows}

*Stranded*: on the other host, or still in a queue when all was over. *Other*: damaged, misplaced, given back to the
sender, never accepted, or deleted by its owner and there again.
"""


def page(rows: Sequence[dict[str, Any]], failed: Sequence[str], seconds: float) -> str:
    """Given the rows of all faults, the tests that failed and how long it took, return the page."""
    verdict = "Every test passed." if not failed else f"**{len(failed)} tests failed:** {', '.join(failed)}."
    return TEXT.format(
        minutes=seconds / 60,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{platform.system()} {platform.machine()}",
        tried=sum(row["tried"] for row in rows),
        kills=sum(row["kills"] for row in rows),
        accepted=sum(row["accepted"] for row in rows),
        verdict=verdict,
        rows="\n".join(map(line, merged(rows))),
    )


def merged(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each fault, in the order of their names: a test may bring one about in several variants."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = found.setdefault(
            row["fault"], {**row, "tried": 0, "happened": [], "losses": {}, "left_closed": 0}
        )
        known["tried"] += row["tried"]
        known["happened"] += [text for text in row["happened"] if text not in known["happened"]]
        known["losses"] = {
            name: known["losses"].get(name, 0) + count for name, count in row["losses"].items()
        }
        known["left_closed"] += row["left_closed"]
    return [found[name] for name in sorted(found)]


def line(row: dict[str, Any]) -> str:
    """Return one fault as a line of the table."""
    losses = row["losses"]
    cells = (
        row["fault"],
        row["tried"],
        "; ".join(row["happened"]).replace("|", "\\|").replace("\n", " "),
        *(losses[column] for column in ("lost", "stranded", "doubled", "other")),
        row["left_closed"],
    )
    return f"| {' | '.join(map(str, cells))} |"


def write(path: Path, rows: Sequence[dict[str, Any]], failed: Sequence[str], seconds: float) -> None:
    """Write the page."""
    path.write_text(page(rows, failed, seconds))
