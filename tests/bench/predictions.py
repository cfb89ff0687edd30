"""`python -m tests.bench.predictions`: how near what is predicted before the question comes to what a cutover takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.line import line
from tests.bench.sides import python
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.traffic import Traffic

STORE = Path(__file__).with_name("inside") / "store.py"
NEAR = 0.3
"""How far apart both may be, as a share of what was predicted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One migration.

    Its strategy, messages in the store beside the lab's own, seconds of a round trip, messages a second that come in.
    """

    strategy: str
    files: int = 0
    delay: float = 0.0
    rate: float = 0.0

    def __str__(self) -> str:
        return f"{self.strategy}, {self.files} messages, {self.delay * 1000:.0f} ms, {self.rate:g} a second"


KINDS = (
    Kind("hold"),
    Kind("hold", files=20_000),
    Kind("hold", files=100_000),
    Kind("hold", files=20_000, delay=0.02),
    Kind("hold", rate=3),
    Kind("hold", files=20_000, rate=3),
    Kind("firewall"),
    Kind("firewall", files=20_000),
    Kind("firewall", files=20_000, delay=0.02),
    Kind("firewall", rate=3),
)
"""Ten migrations, as unlike each other as one machine bears in some minutes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was predicted of one migration and what came, in seconds."""

    kind: Kind
    what: str
    predicted: float
    real: float

    @property
    def off(self) -> float:
        """How far the real one was from the predicted, as a share of that."""
        return abs(self.real - self.predicted) / self.predicted

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} {self.real:.1f} s, predicted {self.predicted:.1f} s ({self.off:.0%} off)"


def outcomes() -> Iterator[Outcome]:
    """Migrate once for every kind, and yield what came of each: of waiting mail, and of closed mailboxes."""
    for kind in KINDS:
        for what, told in _migrated(kind).items():
            yield Outcome(kind, what, told["predicted"], told["real"])


def _migrated(kind: Kind) -> dict[str, dict[str, float]]:
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(strategy=kind.strategy))
        if kind.files:
            python(lab, "old", STORE, str(kind.files), str(max(20, kind.files // 500)))
        stack.enter_context(line(lab, kind.delay))
        traffic = stack.enter_context(Traffic(lab.place, rate=kind.rate)) if kind.rate else None
        succeed(lab, "run", "--yes", "--wait")
        if traffic:
            traffic.finish()
        told: dict[str, dict[str, float]] = json.loads(succeed(lab, "status", "--json"))["cutover"]
        return told


def share(found: list[Outcome]) -> float:
    """Return the share of the migrations of which everything came as predicted, give or take NEAR."""
    kinds = {str(one.kind) for one in found}
    wrong = {str(one.kind) for one in found if one.off > NEAR}
    return (len(kinds) - len(wrong)) / len(kinds)


def main() -> int:
    """Migrate, and write a line for each."""
    found = []
    for one in outcomes():
        sys.stdout.write(f"{one}\n")
        sys.stdout.flush()
        found.append(one)
    sys.stdout.write(f"{share(found):.0%} within {NEAR:.0%}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
