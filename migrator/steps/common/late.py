"""Whom only the old host knows: answered for now by its relay, and taken as soon as the new host knows him, too."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change
from migrator.sendmail import known, recipients
from migrator.steps.base import Context
from migrator.steps.common import ask
from migrator.steps.common.configure import Reload, change, read
from migrator.steps.common.locality import PROBE
from migrator.steps.common.words import some

LATER = "relay.later"
"""Where the addresses are remembered that the relay of the old host answers for now."""


def learned(context: Context) -> Iterator[Change]:
    """Yield the change by which the old host takes whom it answered for now and the new one knows by now.

    The new host is asked as before the switch, by `sendmail -bv`. No daemon is reloaded: each session reads the list
    anew. Nothing where nobody is answered for now, or still all of them are unknown there.
    """
    if not context.memory.get(LATER):
        return
    sources = read(context, "old")
    text = sources.text(known.PATH)
    later = known.later_of(text)
    asked = {key: address for key in later if (address := _address(key, known.by_name(text)))}
    unknown = ask.refused(context.new, list(asked.values())) if asked else frozenset()
    found = [key for key, address in asked.items() if address.lower() not in unknown]
    if not found:
        return
    rest = [key for key in later if key not in found]
    learning = change(
        context,
        "old",
        f"take {some(found)} on the old host again, for the new one knows them by now",
        sources,
        {known.PATH: known.taken(text, found)},
        remember={LATER: some(rest, 50)},
        reload=Reload.NONE,
    )
    if learning:
        yield learning


def _address(key: str, domains: tuple[str, ...]) -> str:
    """Return an address that an entry of the list fits; "" for none. A name counts in the domains given."""
    user, _, domain = key.rpartition("@")
    if user:
        return f"{recipients.asked_user(user, PROBE)}@{domain}"
    return f"{key}@{domains[0]}" if domains else ""
