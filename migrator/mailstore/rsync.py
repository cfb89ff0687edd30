"""What rsync is told for a pass over a tree, and what its exit status means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from migrator.mailstore import arrivals, entering
from migrator.mailstore import spared as hosts_own
from migrator.mailstore.access import TREE
from migrator.plan import CopyPlan, SyncTree

STALL = 900
"""Seconds without a byte after which rsync gives up; comparing contents of a large mbox is silent for a while."""

VANISHED = 24
"""The exit status for files that went away between listing and copying (rsync(1), EXIT VALUES)."""

BROKEN = frozenset({10, 12, 30, 35, 255})
"""The exit statuses that a broken connection or a host that was started anew gives: the same pass may succeed."""

_SPOOLS = ("/var/mail", "/var/spool/mail")

_ALL_LOCKS = ("/*.lock", "*.lock")
_NAMES = (
    "[Mm]box",
    "[Mm]ailbox",
    "[Ii]nbox",
    "INBOX",
    "*.mbox",
    "sent-mail",
    "saved-messages",
    "postponed-msgs",
)
_LOCKS = (
    *(f"{name}.lock" for name in _NAMES),
    *("mail/**.lock", "Mail/**.lock", "[Dd]rafts.lock", "[Ss]ent.lock", "[Tt]rash.lock", "dovecot*.lock"),
)

NO_SPACE = "No space left on device"
"""What a host says of a file system that is out of blocks or of inodes (ENOSPC)."""

FULL = (
    "a file system of that host is full: see df -h and df -i there, make room, and run the same command again"
)
"""What to do about it."""

# What dash says of its own echo and printf that could not write, whatever the system's reason was.
_UNWRITTEN = re.compile(r"\b(?:echo|printf): I/O error")

_ADVICE = {
    2: "the two rsyncs do not understand each other: bring the older one up to date",
    5: "the old host refused: see that its authorized_keys still has the line of this migration",
    10: "the connection between the hosts broke: see that the new host reaches the old one's ssh port",
    11: "a file could not be written or read: see df -h and the log of the new host",
    12: "the connection between the hosts broke, or one rsync ended early: see the lines above",
    13: "rsync on the new host reports an error of its own: see the lines above",
    14: "a host could not start a process: see its memory and its limits",
    20: "rsync was stopped by a signal: run the same command again",
    22: "a host has too little memory: stop what else needs it",
    23: "some files could not be copied: see the lines above for which, and for why",
    VANISHED: "files vanished while they were copied: something still changes mailboxes on the old host",
    25: "rsync stopped deleting at its limit",
    30: f"nothing came for {STALL} s: see whether the old host's disks answer",
    35: "the old host's rsync did not answer",
    127: "rsync is missing on one of the hosts: install it there",
    255: "ssh between the hosts failed: see that the new host reaches the old one's ssh port with the key",
}


def pass_words(
    tree: SyncTree,
    *,
    copying: CopyPlan,
    delete: bool = False,
    checksum: bool = False,
    keep_younger: bool = False,
    dry_run: bool = False,
    itemize: bool = False,
    listed: bool = False,
    spool: str = "",
    spared: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return rsync's options for a pass over a tree, without the way to the old host.

    Hard links stay links (Maildir programs make them), and holes stay holes. What is excluded is kept on the new host
    as well when others are deleted. Owners go by name where both hosts know it. With `keep_younger` a file that is
    younger on the new host stays: mail came in there during the pass, which the next guard reports. Locks of mailboxes
    stay behind, for nobody on the new host would lift them: all in `spool`, the old host's, or a usual one; elsewhere
    those of mailboxes that are called and placed as usual, for a Gemfile.lock is none. `listed` is for a
    pass that is given its names, from which what stays behind was left out: rsync refuses a name that it excludes.
    `spared` are the paths in the tree that belong to the hosts themselves.
    """
    words = ["rsync", "-aHS", "--partial", f"--timeout={STALL}"]
    words += ["--delete-after"] if delete else []
    words += ["--update"] if keep_younger else []
    words += ["--checksum"] if checksum else []
    words += ["--dry-run"] if dry_run else []
    words += ["--out-format=%i %n%L"] if itemize else ["--stats"]
    words += [] if dry_run else ["--info=progress2"]
    words += _limit(copying) if not dry_run else []
    words += [] if listed else [f"--exclude={pattern}" for pattern in excluded(tree, spool, spared)]
    return tuple(words)


def end_words(copying: CopyPlan) -> tuple[str, ...]:
    """Return rsync's options by which names of a list get what the old host's files have beyond the length of theirs.

    What stood there before is not read (rsync(1), --append): whoever uses it compares contents afterwards.
    """
    return ("rsync", "--append", "--stats", f"--timeout={STALL}", *_limit(copying))


def _limit(copying: CopyPlan) -> list[str]:
    return [f"--bwlimit={max(1, copying.bwlimit // 1024)}"] if copying.bwlimit else []


def excluded(tree: SyncTree, spool: str, spared: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the patterns of what stays behind of a tree, given the old host's mail spool and what is spared.

    See pass_words. What every host keeps for itself is left out in any case.
    """
    own = dict.fromkeys(hosts_own.pattern(path) for path in (*hosts_own.usual(tree), *spared))
    locks = _ALL_LOCKS if tree.source.rstrip("/") in (*_SPOOLS, spool.rstrip("/")) else _LOCKS
    return (*own, *locks, *tree.exclude)


def unfiltered(tree: SyncTree) -> SyncTree:
    """Return the tree as if the plan excluded nothing of it."""
    return SyncTree(tree.source, tree.target)


def destination(tree: SyncTree) -> str:
    """Return the folder of the new host that a tree goes into, with the slash that makes rsync fill it."""
    return tree.target.rstrip("/") + "/"


def log_words(log: str) -> tuple[str, ...]:
    """Given the log of a tree, return the options by which rsync writes there what it copies."""
    return (f"--log-file={log}", f"--log-file-format={arrivals.LOG_FORMAT}")


def relayed_words(words: tuple[str, ...], *, index: int) -> tuple[str, ...]:
    """Return the whole rsync command for a pass whose way to the old host somebody else makes (`-e` comes before)."""
    return (*words, f"--rsync-path={TREE}{index}")


def broke_off(status: int, said: str) -> bool:
    """Return whether a pass ended with its connection, given rsync's exit status and what both ends said.

    The status alone does not tell: 12 is also that of an rsync whose other end ended early, for what it does not know.
    """
    return status in BROKEN and not cause(said)


def is_full(said: str) -> bool:
    """Return whether what a host said is what it says where a file system has no room left."""
    return NO_SPACE in said or _UNWRITTEN.search(said) is not None


def cause(said: str) -> str:
    """Return what to do where an end of rsync said why it ended, "" where it did not."""
    return next((cure for pattern, cure in _CAUSES if pattern.search(said)), "")


_CAUSES = (
    (re.compile(re.escape(entering.SAID)), entering.ADVICE),
    (
        re.compile(r"unknown option|unrecognized option|unknown --info item", re.IGNORECASE),
        "an rsync does not know an option that the copy needs: bring it up to date, rsync 3.1 (2013) and newer know it",
    ),
    (
        re.compile(r"is your shell clean|protocol version mismatch"),
        "the login shell of the old host prints text that rsync takes for its own: see `migrate check`, login-shell",
    ),
    (
        re.compile(
            r"rsync: (?:command )?not found|No such file or directory.*rsync --server|command not found: rsync"
        ),
        "rsync is missing on one of the hosts: install it there",
    ),
    (
        re.compile(r"this key only reads the trees of the migration"),
        "the new host's rsync asks for what the key of the run does not allow: bring the hosts' rsyncs to one version",
    ),
)
"""What an end of rsync says where it was no connection that broke, and the cure."""


def advice(status: int, said: str = "") -> str:
    """Return what to do about an exit status of rsync (rsync(1), EXIT VALUES), given what it said."""
    if is_full(said):
        return FULL
    if cure := cause(said):
        return cure
    return _ADVICE.get(status, "see what rsync says above, and rsync(1), EXIT VALUES")
