"""Where mail for an address ends, by what the live rules say: in a mailbox of this host, or with another host.

`sendmail -bv` (sendmail(8)) prints `ADDRESS... VERDICT` for each address with the text that it was given, in an order
of its own; for an alias or a .forward it prints what it leads to. Which mailers are local is told by their definitions
(Installation and Operation Guide, 5.4, "M -- Define Mailer"), for a host may call them as it likes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from migrator import host_text
from migrator.sendmail import addresses
from migrator.sendmail.cf import Configuration
from migrator.sendmail.verification import Verdict, parse

BATCH = 200
"""How many addresses one process of Sendmail is asked about."""

_NETWORK = frozenset({"smtp", "esmtp", "smtp8", "dsmtp", "relay"})
_NOWHERE = frozenset({"discard", "*discard*", "error"})
_LOCALLY = "Cannot mail directly to"


def batch_script(texts: Sequence[str], *, longest: int) -> str:
    """Given recipients as they stand in a queue, return the sh text that asks about all, in `longest` seconds at most.

    They travel in a here-document, for a command line has an end, and none of them can be an option. A name server
    that does not answer is not waited for as long as Sendmail would (Timeout.resolver).
    """
    return (
        'limit() { if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }\n'
        f"tr '\\n' '\\000' <<'{_MARK}' | limit {longest} xargs -0 -n {BATCH} sendmail -bv {_RESOLVER} -- 2>&1\n"
        f"{_lines(texts)}{_MARK}\n"
        f"case $? in 124|137|143) ;; *) printf '\\n{_WHOLE}\\n' ;; esac\n"
    )


def single_script(texts: Sequence[str]) -> str:
    """Given recipients, return the sh text that asks about each by itself: what an alias leads to is told apart."""
    return (
        "while IFS= read -r one; do\n"
        f'    printf \'\\n\\001%s\\n\' "$one"; sendmail -bv {_RESOLVER} -- "$one" 2>&1 </dev/null\n'
        f"done <<'{_MARK}'\n{_lines(texts)}{_MARK}\nprintf '\\n{_WHOLE}\\n'\n"
    )


def is_whole(output: str) -> bool:
    """Given what one of the scripts printed, return whether all were asked about."""
    return output.rstrip("\n").endswith(f"\n{_WHOLE}")


def told(output: str, texts: Iterable[str]) -> dict[str, Verdict]:
    """Given what a batch printed, return the verdicts by the text that was asked about; none for what was expanded.

    A text may hold what reads like a verdict on another one, so the longest that fits a line is taken.
    """
    starts = {f"{text}... ": text for text in texts}
    longest_first = sorted({len(start) for start in starts}, reverse=True)
    found: dict[str, Verdict] = {}
    for line in output.split("\n"):
        text = next((starts[line[:length]] for length in longest_first if line[:length] in starts), None)
        if text is not None:
            verdict = _verdict(text, line[len(text) + 4 :])
            if text not in found or verdict.mailer:
                found[text] = verdict
    return found


def told_singly(output: str) -> dict[str, tuple[Verdict, ...]]:
    """Given what `single_script` printed, return for each text the verdicts on all that it leads to.

    Where a line can be read in two ways, both are among them: what may be local counts as local.
    """
    found: dict[str, tuple[Verdict, ...]] = {}
    for part in output.split("\n\001")[1:]:
        text, _, rest = part.partition("\n")
        found[text] = tuple(verdict for line in rest.split("\n") for verdict in _readings(line))
    return found


def _readings(line: str) -> Iterator[Verdict]:
    for found in re.finditer(re.escape("... "), line):
        yield _verdict(line[: found.start()], line[found.end() :])


def _verdict(text: str, message: str) -> Verdict:
    return replace(parse(f"x... {message}")[0], address=text)


def is_local(configuration: Configuration, mailer: str) -> bool:
    """Given a sendmail.cf and the name of a mailer, return whether what it gets stays on this host.

    A mailer is a program or a file of this host unless its path is [IPC] or [TCP]; and even then, where it speaks LMTP
    (flag z), says that it delivers finally (flag l), or connects to a socket of this host (A=FILE).
    """
    if mailer in _NOWHERE:
        return False
    definition = configuration.mailer(mailer)
    if definition is None:
        return mailer.lower() not in _NETWORK
    if definition.fields.get("P", "").upper() not in ("[IPC]", "[TCP]"):
        return True
    flags = definition.fields.get("F", "")
    connects = host_text.words(definition.fields.get("A", ""))[:1]
    return bool({"z", "l"} & set(flags)) or connects == ["FILE"]


def ends_here(
    configuration: Configuration, text: str, verdicts: Sequence[Verdict] | None, accounts: Collection[str]
) -> bool:
    """Given a recipient as it stands in a queue and the verdicts on it, return whether it ends on this host.

    None or (): nothing was told. Then what has no domain counts where it can be a mailbox, a program or a file.
    """
    unread = addresses.is_local_form(text) or addresses.bare(text).startswith("\\")
    if not verdicts:
        address = addresses.bare(text)
        return (unread or address in accounts) and not addresses.domain(address)
    if any(verdict.mailer and is_local(configuration, verdict.mailer) for verdict in verdicts):
        return True
    # A program and a file may only come from an alias or a .forward, as the one in the queue does.
    if any(verdict.error.startswith(_LOCALLY) for verdict in verdicts):
        return True
    return any(verdict.error for verdict in verdicts) and (
        addresses.bare(text).removeprefix("\\") in accounts
    )


_MARK = "END_OF_RECIPIENTS_3f1c9a57"
_WHOLE = "all recipients were asked about"
_RESOLVER = "-OTimeout.resolver.retrans=2s -OTimeout.resolver.retry=1"


def _lines(texts: Sequence[str]) -> str:
    for text in texts:
        if "\n" in text or "\0" in text or text == _MARK:
            raise ValueError("a recipient of a queue is one line")
    return "".join(f"{text}\n" for text in texts)
