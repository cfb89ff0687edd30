"""What a fault did to a migration, as its test records it for the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.lab.account import Account
from tests.lab.lab import Lab, accepts
from tests.lab.scene import Scene

LOSSES = ("lost", "stranded", "doubled")
"""The columns of their own; every other kind of fault counts as `other`."""


@dataclass
class Outcome:
    """The row of one fault: how often it was brought about, what happened, and what the account said."""

    fault: str
    tried: int = 0
    kills: int = 0
    accepted: int = 0
    happened: list[str] = field(default_factory=list)
    losses: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*LOSSES, "other"), 0))
    left_closed: int = 0

    def hit(self, happened: str = "", *, times: int = 1, kills: int = 0) -> None:
        """Count the fault, and write down what happened; what happened before already is written once."""
        self.tried += times
        self.kills += kills
        if happened and happened not in self.happened:
            self.happened.append(happened)

    def settle(self, stage: Scene, *, home: str = "new") -> None:
        """End the scene and count its account.

        Raise AssertionError where a message is not where it belongs, or a port was left closed.
        """
        account = stage.end(home=home)
        self.count(account)
        self.expect_open(stage.lab)
        assert account.clean, stage.told(account)

    def count(self, account: Account) -> None:
        """Add what an account says to the row."""
        self.accepted += account.expected
        for name in account.FAULTS:
            column = name if name in LOSSES else "stranded" if name == "waiting" else "other"
            self.losses[column] += len(getattr(account, name))

    def expect_open(self, lab: Lab) -> None:
        """Raise AssertionError where port 25 of a host is closed now that all is over."""
        for role in ("old", "new"):
            if not accepts(lab.place.address(role), 25):
                self.left_closed += 1
        assert not self.left_closed, "a port was left closed"

    def row(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return asdict(self)
