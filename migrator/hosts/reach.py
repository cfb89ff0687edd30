"""Whether one host gets into port 25 of another: a dialogue held from there, as far as asked, and what came of it.

A rule that was set and a process that runs say nothing of what stands in between: the other's own rules, a provider,
a route. The script is for every host: bash, which both families have, opens the connection (bash(1), REDIRECTION,
/dev/tcp); where a bash was built without that, or is missing, perl does, over IPv4.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE = 15
"""How long one address may take for the connection and its whole dialogue, in seconds."""

_LONGEST = 300
_CANNOT = 127
_SILENT = (137, 143)

# Prints `connected`, then each reply's last line behind what it answers. Given address, EHLO name, recipient (or "").
_BASH = r"""
exec 3<>"/dev/tcp/$1/25" || exit 3
echo connected
cr=$(printf "\r")
hear() { # the phase; prints the last line of the reply, and fails where that is no 2xx or does not come
    while IFS= read -r line <&3; do
        line=${line%"$cr"}
        case $line in [2-5][0-9][0-9]-*) continue ;; esac
        printf "< %s %s\n" "$1" "$line"
        case $line in 2*) return 0 ;; esac
        return 1
    done
    return 1
}
ask() { printf "%s\r\n" "$2" >&3 && hear "$1"; }
if hear banner && [ -n "$3" ]; then
    ask ehlo "EHLO $2" && ask mail "MAIL FROM:<>" && ask rcpt "RCPT TO:<$3>"
fi
printf "QUIT\r\n" >&3
exit 0
"""
_PERL = r"""
use IO::Socket::INET;
$| = 1;
my ($address, $name, $recipient) = @ARGV;
my $wire = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 25, Proto => "tcp") or die "connect: $!\n";
print "connected\n";
sub hear {
    my $phase = shift;
    while (defined(my $line = <$wire>)) {
        $line =~ s/\r?\n$//;
        next if $line =~ /^[2-5][0-9][0-9]-/;
        print "< $phase $line\n";
        return $line =~ /^2/;
    }
    return 0;
}
sub ask { my ($phase, $line) = @_; print $wire "$line\r\n"; return hear($phase); }
if (hear("banner") && $recipient ne "") {
    ask("ehlo", "EHLO $name") && ask("mail", "MAIL FROM:<>") && ask("rcpt", "RCPT TO:<$recipient>");
}
print $wire "QUIT\r\n";
exit 0;
"""

# The connection itself may take minutes where packets are dropped, so what opens it is ended from outside; old hosts
# have no timeout(1).
_SCRIPT = r"""bounded() { # a command; its status, 143 where it had to be ended
    ( trap '' PIPE; "$@" & running=$!
    ( sleep @PATIENCE@; kill -s TERM $running ) >/dev/null 2>&1 & watcher=$!
    wait $running; ended=$?
    kill $watcher
    exit $ended ) 2>&1
}
reach() { # address, EHLO name, recipient
    printf 'reach %s\n' "$1"
    ended=@CANNOT@
    if command -v bash >/dev/null 2>&1; then
        said=$(bounded bash -c @BASH@ reach "$@"); ended=$?
        case $said in *connected*) ;; *'/dev/tcp/'*': No such file or directory'*) ended=@CANNOT@ ;; esac
    fi
    if [ $ended -eq @CANNOT@ ] && command -v perl >/dev/null 2>&1; then
        said=$(bounded perl -e @PERL@ "$@"); ended=$?
    fi
    if [ $ended -ne @CANNOT@ ]; then printf '%s\n' "$said"; fi
    printf 'ended %s\n' $ended
}
"""


@dataclass(frozen=True, slots=True)
class Reached:
    """What one address answered.

    `phase` and `code` are of the last reply (0: there was none), `text` is that reply, or why there is none.
    `told` is False where the host has no program that could open a connection.
    """

    address: str
    connected: bool = False
    phase: str = ""
    code: int = 0
    text: str = ""
    told: bool = True

    @property
    def greeted(self) -> bool:
        """Whether somebody got in: a banner with 2xx came, whatever was said later."""
        return self.phase not in ("", "banner") or 200 <= self.code < 300

    @property
    def taken(self) -> bool:
        """Whether the recipient that was asked about is taken."""
        return self.phase == "rcpt" and 200 <= self.code < 300

    def __str__(self) -> str:
        """Return what was seen, for a person."""
        return f"{self.address}: {self.text or 'connected, and no greeting came'}"


def script(addresses: Sequence[str], *, name: str = "", recipient: str = "") -> str:
    """Return the script that tries port 25 of each address, for `parse`; it changes nothing, and sends no message.

    Given a recipient it asks for that one (RFC 5321, 4.1.1.3), from the null sender and as the EHLO name, and leaves.
    """
    text = _SCRIPT.replace("@PATIENCE@", str(PATIENCE)).replace("@CANNOT@", str(_CANNOT))
    text = text.replace("@BASH@", shlex.quote(_BASH)).replace("@PERL@", shlex.quote(_PERL))
    tries = "".join(f"reach {shlex.join((address, name, recipient))}\n" for address in addresses)
    return f"{text}{tries}exit 0\n"


def parse(text: str, addresses: Sequence[str]) -> tuple[Reached, ...]:
    """Given what the script printed, return what each of the addresses answered; what tells nothing is not `told`."""
    found: dict[str, Reached] = {}
    for part in re.split(r"^reach ", text, flags=re.MULTILINE)[1:]:
        address, _, rest = part.partition("\n")
        found.setdefault(address, _reached(address, rest.split("\n")))
    return tuple(found.get(address, Reached(address, told=False)) for address in addresses)


def _reached(address: str, lines: Sequence[str]) -> Reached:
    replies = [line[2:].partition(" ") for line in lines if line.startswith("< ")]
    ended = next((line[6:] for line in reversed(lines) if line.startswith("ended ")), "")
    connected = "connected" in lines
    if not connected and ended in ("", str(_CANNOT)):
        return Reached(address, told=False, text="no bash and no perl there that could connect")
    if replies:
        phase, _, reply = replies[-1]
        code = int(reply[:3]) if re.match("[2-5][0-9][0-9]", reply) else 0
        return Reached(address, connected, phase, code, reply[:_LONGEST])
    silent = ended in map(str, _SILENT)
    if connected:
        why = f"no greeting within {PATIENCE} s" if silent else "the connection ended without a greeting"
        return Reached(address, connected, text=f"connected, {why}")
    if silent:
        return Reached(address, text=f"no connection within {PATIENCE} s: packets are dropped on the way")
    said = next((line for line in lines if line and not line.startswith("ended ")), "")
    return Reached(address, text=said.rpartition(": ")[2][:_LONGEST] or f"exit status {ended}")
