"""The end of a migration whose old host is lost for good, in the middle of it: with the new host alone."""

from __future__ import annotations

from migrator.steps.lost.alone import alone
from migrator.steps.lost.tell import LOST, OLD_HOST_LOST

__all__ = ["LOST", "OLD_HOST_LOST", "alone"]
