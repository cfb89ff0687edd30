"""The table of faults in parts, each of which fits a sitting: which tests are of one, and what came of each."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """One of several equal parts of the tests, counted from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Part:
        """Given NUMBER/OF, as in 2/4, return the part. Raise ValueError for anything else."""
        found = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(f"no part is called {text!r}: 2/4 is the second of four")
        return cls(int(found[1]), int(found[2]))

    def takes(self, names: Sequence[str]) -> list[str]:
        """Given the names of all tests, return this part's; every name is in one part, whatever their order."""
        return sorted(names)[self.number - 1 :: self.of]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of one part came to: its rows, how many tests it ran, which failed, in how many seconds, and when."""

    part: Part
    rows: tuple[dict[str, Any], ...]
    tests: int
    failed: tuple[str, ...]
    seconds: float
    machine: str = field(default_factory=lambda: f"{platform.system()} {platform.machine()}")
    date: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d}")

    def keep(self, folder: Path) -> None:
        """Write it into the folder, in place of an earlier result of this part."""
        folder.mkdir(exist_ok=True)
        _file(folder, self.part).write_text(json.dumps(asdict(self)))


def kept(folder: Path, of: int) -> list[Result]:
    """Return the results of those parts that were run, in their order, where there are `of` parts."""
    files = [_file(folder, Part(number, of)) for number in range(1, of + 1)]
    return [_result(json.loads(file.read_text())) for file in files if file.exists()]


def _file(folder: Path, part: Part) -> Path:
    return folder / f"part-{part.number}-of-{part.of}.json"


def _result(data: dict[str, Any]) -> Result:
    return Result(
        **{**data, "part": Part(**data["part"]), "rows": tuple(data["rows"]), "failed": tuple(data["failed"])}
    )
