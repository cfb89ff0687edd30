"""What time it is, where one of three clocks may be wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from migrator import host_text
from migrator.change import HostName
from migrator.steps.base import Context
from migrator.steps.common.at_once import at_once


def agreed(context: Context) -> datetime:
    """Return the middle one of three times: this machine's and both hosts', aware.

    A clock that jumped, or that was set between two runs, then neither shortens a wait for caches nor prolongs it. A
    host that does not tell the time counts as agreeing with this machine.
    """
    old, new = at_once(lambda: _time(context, "old"), lambda: _time(context, "new"))
    return sorted((context.now(), old, new))[1]


def here(context: Context, moment: datetime, now: datetime) -> datetime:
    """Given a moment by the agreed time, and what that is now, return what this machine's clock will show then."""
    return moment + (context.now() - now)


def _time(context: Context, host: HostName) -> datetime:
    told = host_text.stripped(context.reader(host).read("date", "+%s").stdout)
    if not re.fullmatch(r"[0-9]{1,11}", told):
        return context.now()
    return datetime.fromtimestamp(int(told), UTC)
