"""All late mail reaches the new host from one address; limits against strangers would throttle it."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.exemption import expect_spared, spared
from migrator.steps.common.relaying import sources_of


class ExemptOld(Step):
    """Exempt the old host from the new one's rate, connection, greeting and blocklist checks."""

    name = "exempt-old"
    phase = Phase.PREPARE
    after = "backup"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change of the new host's access map, with rebuild and reload."""
        yield from spared(context, "new", sources_of(context, "old"))

    def verify(self, context: Context) -> None:
        """Read the map anew. Raises VerifyFailed where an entry is missing."""
        expect_spared(context, "new", sources_of(context, "old"))
