"""The only two modes: what performs commands, and what says what they would do."""

from migrator.executor.base import Executor
from migrator.executor.copies import RsyncCopies
from migrator.executor.dry import DryRunExecutor
from migrator.executor.live import LiveExecutor

__all__ = ["DryRunExecutor", "Executor", "LiveExecutor", "RsyncCopies"]
