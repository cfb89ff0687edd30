"""Whether Sendmail's rules would take a message from a client: `check_mail` and `check_rcpt` in test mode.

These rule sets decide at MAIL and RCPT by the access map, the sender's domain and lists of blocked clients (cf/README,
"Anti-spam configuration control"; Sendmail Installation and Operation Guide, 5.1.4). Test mode needs no port, so a
host can be asked that takes no mail yet. With FEATURE(`delay_checks') there is no check_mail: check_rcpt asks for it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from ipaddress import ip_address

from migrator import host_text
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import askable

Pair = tuple[str, str]
"""A sender, "" for a bounce, and one recipient of the message."""

LONGEST = 10
"""Seconds for all questions: mail may be waiting, and each sender's domain is looked up."""

AT_MOST = 5000
"""How many pairs are asked about: 1,000 take a second."""

THROWN_AWAY = "it would take the message and throw it away (DISCARD)"

_MARK = "====migrate===="
_HERE = "END_OF_THE_PAIRS"
_RETURNS = re.compile(r"(?:> )*check_(?:mail|rcpt) +returns: (.*)", re.DOTALL)
_ERROR = re.compile(r"\$# error (?:\$@ (.*?) )?\$: (.*)", re.DOTALL)


def script(address: str, name: str, pairs: Sequence[Pair]) -> str:
    """Given a client's address, its name for EHLO and askable pairs, return the sh text that asks; it ends with 0.

    The client's other name is what this host finds for its address. The pairs travel in a here-document. Raises
    TextError for a pair that is not askable, ValueError for what is no address.
    """
    plain = str(ip_address(address))
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise TextError(f"{name!r} is no name of a host")
    for sender, recipient in pairs:
        if (sender and askable([sender]) != (sender,)) or askable([recipient]) != (recipient,):
            raise TextError(f"{sender!r} or {recipient!r} could be taken for something else")
    fixed = f".D{{client_addr}}{plain}\n.Ds{name}\n.D{{migrateMark}}{_MARK}\n"
    listed = "".join(map(_question, pairs[:AT_MOST]))
    return (
        "(\nset +e\nasked=$(mktemp) || exit 0\n"
        f"name=$(getent hosts {shlex.quote(plain)} | awk '{{ print $2; exit }}')\n"
        "resolved=OK\ncase $name in\n"
        f"    ''|*[!A-Za-z0-9._-]*) name='[{plain}]' resolved=FAIL ;;\nesac\n"
        'printf \'.D{client_name}%s\\n.D{client_resolve}%s\\n\' "$name" "$resolved" >"$asked"\n'
        f"cat >>\"$asked\" <<'{_HERE}'\n{fixed}{listed}{_HERE}\n"
        'sendmail -bt <"$asked" 2>/dev/null |\n'
        f"grep -E '^(> )*({_MARK}$|check_(mail|rcpt) +returns: )' & running=$!\n"
        f"( sleep {LONGEST}; kill -s TERM $running ) >/dev/null 2>&1 & watcher=$!\n"
        'wait $running 2>/dev/null\nkill $watcher 2>/dev/null\nrm -f "$asked"\nexit 0\n)\n'
    )


def refused(output: str, pairs: Sequence[Pair]) -> dict[Pair, str]:
    """Given what the script printed for the pairs, return those that would not be delivered, each with the answer.

    What is refused for now (4xx) or quarantined is not among them, nor what there was no time for.
    """
    found: dict[Pair, str] = {}
    answers: list[str] = []
    rest = iter(pairs[:AT_MOST])
    for line in host_text.lines(output):
        if line.endswith(_MARK):
            pair = next(rest, None)
            if pair is not None and (said := next(filter(None, map(_refusal, answers)), "")):
                found[pair] = said
            answers = []
        elif returned := _RETURNS.fullmatch(line):
            answers.append(returned[1])
    return found


def _question(pair: Pair) -> str:
    sender, recipient = pair
    asked = f"check_mail <{sender}>\ncheck_rcpt <{recipient}>\n"
    return f".D{{mail_from}}<{sender}>\n.Df{sender}\n{asked}${{migrateMark}}\n"


def _refusal(returned: str) -> str:
    """Return the answer that a rule set's result stands for; "" where the message is taken, or refused for now.

    The code is that of the text, or the class of the status (RFC 3463); without both it is 553 (srvrsmtp.c, usrerrenh).
    """
    if returned.startswith("$# discard"):
        return THROWN_AWAY
    found = _ERROR.fullmatch(returned)
    if not found:
        return ""
    status = (found[1] or "").replace(" ", "").strip('"').lower()
    text = " ".join(host_text.words(found[2].replace('"', "")))
    code = text[:1] if re.match(r"[2-5][0-9][0-9]( |$)", text) else status[:1]
    if status in ("quarantine", "tempfail", "protocol") or code in ("2", "3", "4"):
        return ""
    return text or "refused"
