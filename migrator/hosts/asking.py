"""What port 25 of one host would refuse, asked from another one for many recipients in few sessions.

A refusal is the answer 5xx to RCPT TO (RFC 5321, 4.2.1); what is refused for now, not asked in time or not
reached is no verdict. The size that a host takes is that of its EHLO (RFC 1870). No message is sent.
All recipients are asked for from the null sender, and then from a few others, whom a host may refuse as well.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from migrator import host_text

LONGEST = 45
"""Seconds for all of it: mail waits meanwhile."""

AT_ONCE = 50
"""How many recipients one transaction asks about: Sendmail's confMAX_RCPTS_PER_MESSAGE is often 100."""

SENDERS = 20
"""How many senders are asked with: each takes a session, and the host looks each one's domain up."""

_SENDING = 15
"""Seconds after the beginning from which no other sender is asked with."""

_HERE = "END_OF_THE_RECIPIENTS"

_BASH = r"""
trap "" PIPE # a server that closed first
cr=$(printf "\r")
hear() { # prints nothing; `reply` is the last line, `size` what EHLO says of it
    reply=
    while IFS= read -r line <&3; do
        line=${line%"$cr"}
        case $line in 250?"SIZE "[0-9]*) echo "size ${line#250?SIZE }" ;; esac
        case $line in [2-5][0-9][0-9]-*) continue ;; esac
        reply=$line
        return 0
    done
    return 1
}
say() { printf "%s\r\n" "$1" >&3 && hear; }
begin() {
    # As a relay tries them: the first address that anybody answers at.
    for address in $addresses; do
        if { exec 3<>"/dev/tcp/$address/$port"; } 2>/dev/null; then addresses=$address; break; fi
        address=
    done
    if [ -z "$address" ]; then exit 3; fi
    hear && case $reply in 2*) ;; *) exit 0 ;; esac
    say "EHLO $name" && case $reply in 2*) ;; *) exit 0 ;; esac
    say "MAIL FROM:<$sender>" && case $reply in
        2*) ;;
        5*) if [ -n "$sender" ]; then denied=1; printf "denied %s\n" "$reply"; else exit 0; fi ;;
        *) if [ -n "$sender" ]; then denied=1; else exit 0; fi ;;
    esac
}
leave() {
    if [ $asked -gt 0 ]; then printf "QUIT\r\n" >&3; exec 3>&-; fi
    asked=0
}
ask() { # recipient; the first of a session begins it
    if [ $asked -eq 0 ]; then begin; fi
    asked=$((asked + 1))
    reply=
    if [ -n "$denied" ]; then reply=none; return 0; fi
    say "RCPT TO:<$1>"
    case $reply in 452*|421*|"") return 1 ;; esac
}
addresses=$1 port=$2 name=$3 asked=0 sender= denied=
while IFS= read -r recipient; do
    case $recipient in
        "from "*)
            leave
            if [ $SECONDS -ge @SENDING@ ]; then exit 0; fi
            sender=${recipient#from } denied=
            printf "sender %s\n" "$sender"
            continue
            ;;
    esac
    if [ -n "$denied" ]; then continue; fi
    if [ $asked -ge @AT_ONCE@ ]; then leave; fi
    if ! ask "$recipient" && [ $asked -gt 1 ]; then # it takes no more in one session, or bears no more refusals
        leave
        ask "$recipient"
    fi
    case $reply in
        5*) printf "refused %s %s\n" "$recipient" "$reply" ;;
        2*) printf "taken %s\n" "$recipient" ;;
        452*) leave ;;
        421*|"") exit 0 ;;
    esac
done
leave
"""


@dataclass(frozen=True, slots=True)
class Refusals:
    """What would be refused: recipients in lower case with the reply, and the largest message taken, 0 for any.

    `taken` are the recipients that were answered with 2xx: what is in neither has no verdict. `by_sender` and
    `taken_from` are the same for a sender and a recipient, in lower case, and `senders` the senders that were refused
    themselves.
    """

    recipients: dict[str, str] = field(default_factory=dict)
    largest: int = 0
    taken: frozenset[str] = frozenset()
    senders: dict[str, str] = field(default_factory=dict)
    by_sender: dict[tuple[str, str], str] = field(default_factory=dict)
    taken_from: frozenset[tuple[str, str]] = frozenset()


def script(
    address: str,
    recipients: Sequence[str],
    *,
    name: str,
    port: int = 25,
    others: Sequence[str] = (),
    senders: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Given an address, plain recipients, and the name for EHLO, return the sh text that asks; it ends with 0.

    `others` are further addresses of the same host, for where nobody answers at the first one; `senders` are plain
    senders with their recipients, of whom the first few are asked with. Where there is no bash, nothing is printed.
    """
    listed = "".join(f"{recipient}\n" for recipient in recipients)
    for sender, theirs in list((senders or {}).items())[:SENDERS]:
        listed += f"from {sender}\n" + "".join(f"{recipient}\n" for recipient in theirs)
    asked = _BASH.replace("@AT_ONCE@", str(AT_ONCE)).replace("@SENDING@", str(_SENDING))
    words = shlex.join(("bash", "-c", asked, "ask", " ".join((address, *others)), str(port), name))
    return (
        "(\nset +e\ncommand -v bash >/dev/null 2>&1 || exit 0\n"
        f"asked=$(mktemp) || exit 0\ncat >\"$asked\" <<'{_HERE}'\n"
        f'{listed}{_HERE}\n{words} <"$asked" 2>/dev/null & running=$!\n'
        f"( sleep {LONGEST}; kill -s TERM $running ) >/dev/null 2>&1 & watcher=$!\n"
        'wait $running\nkill $watcher 2>/dev/null\nrm -f "$asked"\nexit 0\n)\n'
    )


def parse(output: str) -> Refusals:
    """Given what the script printed, return what would be refused."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    senders: dict[str, str] = {}
    by_sender: dict[tuple[str, str], str] = {}
    taken_from: set[tuple[str, str]] = set()
    largest, sender = 0, ""
    for line in host_text.lines(output):
        word, _, rest = line.partition(" ")
        if refused := re.fullmatch(r"refused (\S+) (5\d\d[ -].*)", line, re.ASCII):
            if sender:
                by_sender[sender, refused[1].lower()] = refused[2]
            else:
                found[refused[1].lower()] = refused[2]
        elif word == "sender":
            sender = rest.lower()
        elif word == "denied" and sender:
            senders[sender] = rest
        elif word == "taken" and sender:
            taken_from.add((sender, rest.lower()))
        elif word == "taken":
            taken.add(rest.lower())
        elif size := re.fullmatch(r"size (\d{1,18})", line, re.ASCII):
            largest = int(size[1])
    return Refusals(found, largest, frozenset(taken), senders, by_sender, frozenset(taken_from))
