"""The plan of a migration: TOML text in, frozen data out, every fault at once."""

from migrator.plan.endpoint import Endpoint
from migrator.plan.reading import load
from migrator.plan.shapes import (
    CopyPlan,
    CutoverPlan,
    DnsPlan,
    HostPlan,
    LexiconPlan,
    Plan,
    Rfc2136Plan,
    SmokePlan,
    SyncTree,
    WebmailPlan,
    Window,
)

__all__ = [
    "CopyPlan",
    "CutoverPlan",
    "DnsPlan",
    "Endpoint",
    "HostPlan",
    "LexiconPlan",
    "Plan",
    "Rfc2136Plan",
    "SmokePlan",
    "SyncTree",
    "WebmailPlan",
    "Window",
    "load",
]
