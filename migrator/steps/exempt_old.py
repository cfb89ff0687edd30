"""All late mail reaches the new host from one address; limits against strangers would throttle it."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.errors import VerifyFailed
from migrator.sendmail import maps, mc, routes
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.configure import ACCESS, MC, Sources, change, read


class ExemptOld(Step):
    """Exempt the old host from the new one's rate, connection, greeting and blocklist checks."""

    name = "exempt-old"
    phase = Phase.PREPARE
    after = "backup"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change of the new host's access map, with rebuild and reload."""
        sources = read(context, "new")
        text = sources.text(MC)
        if sources.cf.map("access") is None:
            text = mc.ensure_feature(text, "access_db")
        path = sources.map_path("access", ACCESS)
        summary = f"spare {' and '.join(_addresses(context))} the limits of the new host"
        found = change(context, "new", summary, sources, {MC: text, path: _exempting(context, sources, path)})
        if found:
            yield found

    def verify(self, context: Context) -> None:
        """Read the map anew. Raises VerifyFailed where an entry is missing."""
        sources = read(context, "new")
        path = sources.map_path("access", ACCESS)
        if sources.cf.map("access") is None or _exempting(context, sources, path) != sources.text(path):
            raise VerifyFailed(
                "the new host's access map does not exempt the old host",
                host="new",
                expected=f"entries for {' and '.join(_addresses(context))} in {path}",
                seen="some are missing, or access_db is not configured",
                advice="see who else edits this file",
            )


def _addresses(context: Context) -> tuple[str, ...]:
    facts = context.facts("old")
    return tuple(dict.fromkeys(filter(None, (*context.plan.old.addresses, facts.source, *facts.addresses))))


def _exempting(context: Context, sources: Sources, path: str) -> str:
    text = sources.text(path)
    for address in _addresses(context):
        for entry in routes.exemption_entries(address):
            text = maps.set_entry(text, entry.key, entry.value)
    return text
