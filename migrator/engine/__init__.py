"""Drives the steps, and what they did back again; every event is in the journal before it is told."""

from migrator.engine.rehearsal import Rehearsal
from migrator.engine.run import Engine

__all__ = ["Engine", "Rehearsal"]
