"""What a host's log says of its mail, for the tools of one host; steps read it, too."""

from __future__ import annotations

from migrator.steps.common.maillog import FILES, about, last

__all__ = ["FILES", "about", "last"]
