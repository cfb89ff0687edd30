"""The new host took mail: from now on it hands mail for the domains back to the old one, its port open all the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrator.change import Change, Undo, Upload
from migrator.hosts.script import PRELUDE
from migrator.hosts.upload import upload_script
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import derived, holding, waiting
from migrator.steps.common.configure import ACCESS, MAILERTABLE, MC, Reload, Sources, read
from migrator.steps.common.exemption import expect_let_in, expect_spared, spared
from migrator.steps.common.opening import opened
from migrator.steps.common.relaying import (
    expect_live_relay,
    expect_relay,
    refuse_own_name,
    relayed,
    sources_of,
)

GENERATIONS = "relay-home.generations"
"""Where the sessions of the new host's daemons before this relay are remembered."""

BACK = "relay-home.back."
"""What the scripts that take this relay back are remembered as, with their number behind; the last one goes first."""

SPARED_BACK = "relay-home.spared.back"
"""What the script that takes the exemption on the old host back is remembered as."""


class RelayHome(Step):
    """Make the new host relay mail for the domains to the old one, which delivers it again."""

    name = "relay-home"
    phase = Phase.HOME
    after = ""

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the exemption of the new host from the old one's limits, the way to the old host, and the switch.

        Late mail comes this way until caches are dry, which is longer than a rollback should take: `put-back` takes
        the relay away then. So what takes it back is remembered, and is no undo.
        """
        if not opened(context):
            return
        # Nothing is refused half way home; what it writes on the old host goes with `put-back`, byte for byte.
        for found in spared(context, "old", sources_of(context, "new"), edited=()):
            yield _remembering(found, SPARED_BACK)
        # Before the switch: from it on any run of the new host's queue may hand on what is refused, and return it.
        if waits := waiting.queued(waiting.for_domains(context, "new")):
            yield from holding.held(context, waits, "new")
        for found in relayed(context, "new", GENERATIONS, reload=Reload.BRIDGED):
            number = sum(key.startswith(BACK) for key in context.memory)
            yield _remembering(found, f"{BACK}{number}")

    def before_rollback(self, context: Context) -> None:
        """Raise Refused where the new host could not relay, before anything is undone."""
        if opened(context):
            sources = read(context, "new")
            refuse_own_name(context, "new", sources)
            expect_let_in(context, "old", sources_of(context, "new"))
            derived.expect_made(context, "new", derived.look(context, "new"), _written(sources))

    def verify(self, context: Context) -> None:
        """Prove the relay as the one of the old host was proved. Raises VerifyFailed."""
        if opened(context):
            expect_spared(context, "old", sources_of(context, "new"))
            expect_relay(context, "new")
            expect_live_relay(context, "new")


def _written(sources: Sources) -> set[str]:
    """Return the sources of sendmail.cf and of the maps that a relay writes into."""
    return {MC, sources.map_path("access", ACCESS), sources.map_path("mailertable", MAILERTABLE)}


def _remembering(change: Change, key: str) -> Change:
    assert isinstance(change.undo, Upload)  # noqa: S101 - a change of files is undone by files
    script = PRELUDE + upload_script(change.undo)
    return replace(change, undo=Undo.NOT_NEEDED, remember={**change.remember, key: script})
