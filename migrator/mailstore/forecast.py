"""How long mail would wait and mailboxes be closed, if the cutover began now: told from the passes made so far."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from migrator.mailstore.orchestration import Orchestration

_LONGEST = 4_000_000
"""Characters at the end of the file of passes that are read; ten passes over two thousand trees take three quarters."""

_WHOLE_NUMBER = re.compile("[0-9]{1,15}")
_SECOND = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_WHOLE_NUMBERS = ("tree", "delete", "entries", "fetched", "extra", "bytes")
_SECONDS = ("begun", "look", "compare", "transfer")

_CHANGE = 0.0005
"""Seconds that rsync takes for one name more, beside its bytes: its list, the file's creation, its renaming."""

_START = 0.3
"""Seconds that an rsync takes for nothing, where no pass has shown it: start-up at both ends, and the key."""

_ENTRY = 50e-6
"""Seconds that the sweep takes for each name of a tree: it looks at all twice, once to count what it would delete."""

_TREE = 0.09
"""Seconds that the sweep takes beside that for each tree of many: two rsyncs of it, of which some run at a time."""

_TREE_COPIED = 0.01
"""Seconds that a pass or a proof of many trees takes for each tree in which something changed."""

_DELIVERY = 0.035
"""Seconds that the queue takes at the end for each change of the mailboxes while mail waited: half of them are mail."""

_COMMANDS = 2
"""Commands that each pass takes: the pass itself, over all trees at once, and its proof."""

_TELLING = 1_000_000
"""Bytes from which a pass says something of the line's rate rather than of rsync's start."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over one tree as the new host noted it.

    `begun` is in seconds since 1970 by its clock, `look`, `compare` and `transfer` in seconds; `entries` were looked
    at, `fetched` and `extra` are numbers of names, folders that list otherwise among them; `bytes` are those that
    travelled. `changed` is how many messages and other files came, went or changed; -1: that was not noted.
    """

    tree: int
    kind: str
    delete: int
    begun: float
    look: float
    compare: float
    transfer: float
    entries: int
    fetched: int
    extra: int
    bytes: int
    changed: int = -1

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.look + self.compare + self.transfer

    @property
    def changes(self) -> int:
        """Return how many messages and other files came, went or changed, or the names where only those are known."""
        return self.changed if self.changed >= 0 else self.names

    @property
    def names(self) -> int:
        """Return how many names it fetched or took away."""
        return self.fetched + self.extra


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a cutover that begins now would take, in seconds, and what that rests on.

    `copy` is the final pass, `proof` its verification by contents; `mail` is how long mail waits, `mailboxes` how long
    they are closed; `sessions` end within these seconds. `round_trip` is what a command on a host takes, `commands` how
    many of them are counted on.
    """

    copy: float
    proof: float
    mail: float
    mailboxes: float
    sessions: float
    entries: int
    entries_a_second: float
    changes_a_second: float
    bytes_a_second: float
    round_trip: float
    commands: int

    def fits(self, budget: timedelta) -> bool:
        """Return whether the mailboxes would be closed no longer than this."""
        return self.mailboxes <= budget.total_seconds()

    def words(self, budget: timedelta) -> str:
        """Given the budget, return the prediction as a sentence."""
        return (
            f"if you cut over now, mail waits {in_words(self.mail)} and mailboxes are closed for "
            f"{in_words(self.mailboxes)} (budget {in_words(budget.total_seconds())})"
        )

    def basis(self) -> str:
        """Return what the prediction rests on, as measured on these hosts."""
        rate = f"{self.bytes_a_second / 1e6:,.1f} MB/s" if self.bytes_a_second else "no rate measured yet"
        return (
            f"measured here: {self.entries:,} entries looked at ({self.entries_a_second:,.0f} a second), "
            f"{self.changes_a_second * 60:,.1f} changes a minute, {rate}, {self.commands} commands at "
            f"{self.round_trip * 1000:,.0f} ms, sessions that are open for {self.sessions:.0f} s; final pass "
            f"{self.copy:.1f} s, its verification {self.proof:.1f} s"
        )


def in_words(seconds: float) -> str:
    """Given seconds, return them as a prediction says them: whole ones, and never none."""
    return f"{max(1, round(seconds)):,} s"


def parse(text: str) -> tuple[Pass, ...]:
    """Given the file of passes, return those of its lines that are whole, in their order."""
    found = (_pass(line) for line in text[-_LONGEST:].split("\n"))
    return tuple(one for one in found if one is not None)


def _pass(line: str) -> Pass | None:
    words = dict(word.split("=", 1) for word in line.split("\t") if "=" in word)
    if words.get("kind") not in ("changed", "whole"):
        return None
    if not all(_WHOLE_NUMBER.fullmatch(words.get(name, "")) for name in _WHOLE_NUMBERS):
        return None
    if not all(_SECOND.fullmatch(words.get(name, "")) for name in _SECONDS):
        return None
    tree, delete, entries, fetched, extra, travelled = (int(words[name]) for name in _WHOLE_NUMBERS)
    begun, look, compare, transfer = (float(words[name]) for name in _SECONDS)
    kind, told = words["kind"], words.get("changes", "")
    changed = int(told) if _WHOLE_NUMBER.fullmatch(told) else -1
    return Pass(
        tree, kind, delete, begun, look, compare, transfer, entries, fetched, extra, travelled, changed
    )


def predict(
    passes: Sequence[Pass],
    *,
    trees: int,
    round_trip: float,
    orchestration: Orchestration,
    sessions: float = 0.0,
    together: int = 0,
) -> Forecast | None:
    """Predict the cutover from the passes, and return what comes out.

    Given how many trees there are, the seconds that a command takes, what the cutover costs beside the copy, and in how
    many seconds the sessions end that are open; `together` is how many of the trees are passed over at once, which
    their first one tells. Return None where a tree was passed over less than twice: nothing is known yet of how it
    changes.
    """
    told = _by_tree(passes)
    histories = [told.get(tree, []) for tree in range(trees)]
    if any(len(history) < 2 for history in histories):
        return None
    rate = _rate(passes, together)
    start = _start(passes, rate, together)
    entries = sum(history[-1].entries for history in histories)
    names = sum(max(one.entries for one in history) for history in histories)
    between = names * _ENTRY + together * _TREE + orchestration.sweeping + orchestration.seconds(round_trip)
    copies, proofs, looks = [], [], []
    for history in histories:
        last = history[-1]
        share = between / _interval(history)
        transfer = _transfer(last, share, rate, start) + _apart(last, share, together)
        looks.append(last.look + last.compare)
        copies.append(looks[-1] + transfer)
        proofs.append(looks[-1] + (transfer if last.fetched * share >= 0.5 else 0.0))
    whole = [history[-1].kind == "whole" for history in histories]
    copy, proof, quiet = (_at_once(each, whole) for each in (copies, proofs, looks))
    changes = sum(history[-1].changes / _interval(history) for history in histories)
    asked = _COMMANDS * (1 + orchestration.again) * round_trip
    beside = max(0.0, sessions - orchestration.ahead) + copy + proof + orchestration.again * 2 * quiet + asked
    mail = beside + orchestration.until_mail(round_trip)
    looked = sum(history[-1].look for history in histories)
    return Forecast(
        copy=copy,
        proof=proof,
        mail=mail,
        mailboxes=beside + orchestration.seconds(round_trip) + mail * changes * _DELIVERY,
        sessions=sessions,
        entries=entries,
        entries_a_second=entries / looked if looked else 0.0,
        changes_a_second=changes,
        bytes_a_second=rate,
        round_trip=round_trip,
        commands=orchestration.commands + _COMMANDS * (1 + orchestration.again),
    )


def shrinking(passes: Sequence[Pass]) -> bool:
    """Return whether one more pass would make the final one notably shorter: each was by a fifth, so far."""
    histories = list(_by_tree(passes).values())
    if not histories or any(len(history) < 2 for history in histories):
        return True
    last, before = (sum(history[place].seconds for history in histories) for place in (-1, -2))
    return last < 0.8 * before


def _by_tree(passes: Iterable[Pass]) -> dict[int, list[Pass]]:
    """Return the passes of each tree, in their order."""
    told: dict[int, list[Pass]] = {}
    for one in passes:
        told.setdefault(one.tree, []).append(one)
    return told


def _at_once(seconds: Sequence[float], whole: Sequence[bool]) -> float:
    """Return what all trees take: what changed is copied at once, as it was when it was measured; a whole one alone."""
    pairs = list(zip(seconds, whole, strict=True))
    return max((took for took, alone in pairs if not alone), default=0.0) + sum(
        took for took, alone in pairs if alone
    )


def _interval(history: Sequence[Pass]) -> float:
    """Return for how many seconds changes gathered that the last pass found; a clock that was set back tells none."""
    return max(1.0, history[-1].begun - history[-2].begun)


def _rate(passes: Iterable[Pass], together: int) -> float:
    """Return bytes a second, from the pass that moved most; 0 where none tells."""
    most = max(passes, key=lambda one: one.bytes, default=None)
    if most is None or most.bytes < _TELLING:
        return 0.0
    # A first copy of many trees takes an rsync for each, and the sweep two: the least of it is what the bytes take.
    beside = together * _TREE / 2 if most.kind == "whole" else _apart(most, 1.0, together)
    return most.bytes / max(most.transfer - beside, most.transfer / 5, 0.001)


def _apart(one: Pass, share: float, together: int) -> float:
    """Return the seconds that it takes that a share of what a pass found is spread over trees, where those are many."""
    if not together or one.kind == "whole":
        return 0.0
    return together * (1 - math.exp(-one.changes * share / together)) * _TREE_COPIED


def _start(passes: Iterable[Pass], rate: float, together: int) -> float:
    """Return the seconds that a transfer takes beside its names and bytes: the least that a pass has shown."""
    shown = [
        max(
            0.0,
            one.transfer
            - one.names * _CHANGE
            - (one.bytes / rate if rate else 0.0)
            - _apart(one, 1.0, together),
        )
        for one in passes
        if one.kind == "changed" and one.fetched
    ]
    return min(shown, default=_START)


def _transfer(last: Pass, share: float, rate: float, start: float) -> float:
    """Return the seconds of a transfer of this share of what the last pass found."""
    if last.kind == "whole":
        return last.transfer
    changing = last.names * share * _CHANGE + (last.bytes * share / rate if rate else 0.0)
    return changing + (start if last.names * share >= 0.5 else 0.0)
