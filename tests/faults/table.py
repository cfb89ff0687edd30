"""docs/reliability.md, as `make faults` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.faults.parts import Result

TEXT = """\
# What was done to it, and what became of the mail

Every fault below is brought about in a lab of real hosts (Sendmail, sshd, rsync, BIND in containers) while senders
that retry send mail to both hosts. Then the migration is resumed or rolled back, and the account is taken: every
message that a host answered with 250 has to stand once in a mailbox of the host where it belongs. A *kill* is a SIGKILL
to `migrate` at a moment chosen by the test. `make faults` makes this page; it needs what `make test` needs, and about
{minutes:.0f} minutes. `make faults PART=1/4` runs a quarter of it.

{machine}: {tried} faults, {kills} kills among them; {accepted} messages to account for.

{runs}

| fault | tried | what happened | lost | stranded | doubled | other | port left closed |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |
{rows}

*Stranded*: on the other host, or still in a queue when all was over. *Other*: damaged, misplaced, given back to the
sender, never accepted, or deleted by its owner and there again.
"""


def page(results: Sequence[Result], of: int) -> str:
    """Given what came of the parts that were run, and how many there are, return the page."""
    rows = [row for result in results for row in result.rows]
    missing = sorted(set(range(1, of + 1)) - {result.part.number for result in results})
    runs = [_run(result) for result in results]
    runs += [f"- Part {number} of {of} was **not run**." for number in missing]
    return TEXT.format(
        minutes=sum(result.seconds for result in results) / 60,
        machine=", ".join(dict.fromkeys(result.machine for result in results)),
        tried=sum(row["tried"] for row in rows),
        kills=sum(row["kills"] for row in rows),
        accepted=sum(row["accepted"] for row in rows),
        runs="\n".join(runs),
        rows="\n".join(map(line, merged(rows))),
    )


def _run(result: Result) -> str:
    name = f"Part {result.part.number} of {result.part.of}" if result.part.of > 1 else "All of it"
    verdict = (
        "every one passed"
        if not result.failed
        else f"**{len(result.failed)} failed**: {', '.join(result.failed)}"
    )
    return f"- {name}, {result.date}: {result.tests} tests in {result.seconds / 60:.0f} minutes, {verdict}."


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
