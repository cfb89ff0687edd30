"""What is remembered of the moments after which a rollback has to bring mail home."""

from __future__ import annotations

from migrator.steps.base import Context

OPENED = "new.opened"
"""Where it is remembered that the new host took mail: when (ISO 8601). Written with the deed that opens its port."""

FLOWS = "cutover.flows"
"""Where it is remembered when (ISO 8601) the first message that the old host had queued reached the new one."""

PASSABLE = "cutover.passable"
"""Where it is remembered that the new host takes mail from the old one, though what waited has reasons to stay."""

CACHED = "dns.cached"
"""Where it is remembered for how many seconds caches may hold the new host's address: the TTL given to it."""


def opened(context: Context) -> bool:
    """Return whether the new host may have taken mail that the old one has not."""
    return OPENED in context.memory


def note_opened(context: Context) -> dict[str, str]:
    """Return what the change that opens the new host has to remember."""
    return {OPENED: context.memory.get(OPENED) or context.now().isoformat()}
