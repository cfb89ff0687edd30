"""What a plan's runs did, on disk: the journal, its lock, and the state that its lines add up to."""

from migrator.journal.file import FILE, Journal, Record, Scratch, read_state
from migrator.journal.folder import JournalError
from migrator.journal.lock import Lock
from migrator.journal.state import FORMAT, Deed, State, StepRecord, decode, encode
from migrator.journal.summary import summary

__all__ = [
    "FILE",
    "FORMAT",
    "Deed",
    "Journal",
    "JournalError",
    "Lock",
    "Record",
    "Scratch",
    "State",
    "StepRecord",
    "decode",
    "encode",
    "read_state",
    "summary",
]
