"""What Sendmail would do with an address: `sendmail -bv` (sendmail(8), "Verify mode").

sendmail/deliver.c prints `ADDRESS... deliverable: mailer M, host H, user U`, without a host for local
mailers; an alias is printed as what it leads to, not as what was asked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from migrator.sendmail.text_error import TextError

_ADDRESS = re.compile(r"[A-Za-z0-9_+=&~^*/?{}!%][A-Za-z0-9._+=&~^*/?{}!%-]*(@[A-Za-z0-9._-]+)?")
_LINE = re.compile(r"(.*?)\.\.\. (.*)", re.DOTALL)
_DELIVERABLE = re.compile(r"deliverable: mailer (\S+?), (?:host (.*?), )?user (.*)", re.DOTALL | re.ASCII)

_ATOMS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~-]*(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9._-]+"
)
_HERE = "END_OF_THE_ADDRESSES"
_WHOLE = "all addresses were asked for"

_HOST = re.compile(r"\[(?:ipv6:)?([^\[\]]+)\]|[^\[:,]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one address: its mailer, host ("" for none) and user; or in `error` why not."""

    address: str
    mailer: str = ""
    host: str = ""
    user: str = ""
    error: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts in the order of trial; an address without brackets and tag, in the shortest form.

        Sendmail prints the list as mailertable has it, and in lower case (`[ipv6:2001:db8::20]`).
        """
        return tuple(_host(found[1] or found[0]) for found in _HOST.finditer(self.host))


def is_plain(address: str) -> bool:
    """Given an address, return whether checked_addresses takes it."""
    return ".." not in address and bool(_ADDRESS.fullmatch(address))


def checked_addresses(addresses: Sequence[str]) -> tuple[str, ...]:
    """Given addresses to verify, return them. Raise TextError for one that `sendmail -bv` could
    misunderstand.

    A blank or a comma makes two addresses of one, `-` an option, and quotes a line that reads like another
    answer.
    """
    for address in addresses:
        if not is_plain(address):
            raise TextError(f"{address!r} is no plain mail address")
    return tuple(addresses)


def askable(addresses: Iterable[str]) -> tuple[str, ...]:
    """Given addresses, return those that `sendmail -bv` takes for one each: in lower case, once, in their order.

    Dot-atoms of RFC 5322 (3.2.3) before the `@`: what is quoted there could be read as something else.
    """
    return tuple(dict.fromkeys(one for one in map(str.lower, addresses) if _ATOMS.fullmatch(one)))


def astray_script(addresses: Sequence[str], route: str) -> str:
    """Given askable addresses and a route as `-bv` prints it ("mailer esmtp, host [192.0.2.1]"), return the sh text
    that asks about all of them and prints those that do not take it.

    It exits with 0 where all do; else with 1, behind a line `address<TAB>what Sendmail said` for the first few: "" is
    an alias, which is printed as what it leads to. A last line says that the end was reached. The addresses travel in
    a here-document and reach Sendmail by xargs, a thousand at a time, for it compares each with all before it
    (recipient.c). Raise TextError for what is not askable.
    """
    if tuple(addresses) != askable(addresses):
        raise TextError("an address that could be taken for two, or for an option")
    wanted = shlex.quote(f"... deliverable: {route}, user ")
    listed = "".join(f"{address}\n" for address in addresses)
    return _ASTRAY.replace("@ASK@", _ASK).replace("@ROUTE@", wanted).replace("@ADDRESSES@", listed)


# Several at a time, each into a file of its own: two that write to one pipe would cut into each other's lines. They
# stand in a folder of root's, for whoever could put one beside them could answer for Sendmail.
_ASK = r"""tr '\n' '\000' <"$asked" |
    xargs -0 -n 1000 -P "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" \
        sh -c 'exec sendmail -bv "$@" >"$0.$$" 2>&1' "$asked"
for said in "$asked".*; do [ ! -e "$said" ] || cat "$said"; done"""

_ASTRAY = f"""(
set +e
work=$(mktemp -d) || exit 70
trap 'rm -rf "$work"' EXIT
asked=$work/asked
cat >"$asked" <<'{_HERE}'
@ADDRESSES@{_HERE}
@ASK@ |
awk -v route=@ROUTE@ '
    NR == FNR {{ asked[$0] = 1; order[++count] = $0; next }}
    {{
        sub(/\\r$/, "")
        end = index($0, "... ")
        address = tolower(substr($0, 1, end - 1))
        if (!end || !(address in asked)) next
        if (index(substr($0, end), route) == 1) delete asked[address]
        else said[address] = substr($0, end + 4)
    }}
    END {{
        for (number = 1; number <= count; number++)
            if (order[number] in asked && ++astray <= 20) printf "%s\\t%s\\n", order[number], said[order[number]]
        print "{_WHOLE}"
        exit astray > 0
    }}' "$asked" -
)
"""


def refused_script(addresses: Sequence[str]) -> str:
    """Given askable addresses, return the sh text that prints, as astray_script does, those that Sendmail refuses.

    All of them, and it exits with 0. An alias is printed as what it leads to, so it is never among them.
    """
    if tuple(addresses) != askable(addresses):
        raise TextError("an address that could be taken for two, or for an option")
    return _REFUSED.replace("@ASK@", _ASK).replace(
        "@ADDRESSES@", "".join(f"{address}\n" for address in addresses)
    )


def is_refusal(verdict: Verdict) -> bool:
    """Given a verdict, return whether it is one for good: what is so for now may be a name server's fault."""
    return bool(verdict.error) and not _FOR_NOW.search(verdict.error)


_FOR_NOW = re.compile(
    r"tempor|transient|deferred|lookup failure|try again|not known at this time", re.IGNORECASE
)

_REFUSED = f"""(
set +e
work=$(mktemp -d) || exit 70
trap 'rm -rf "$work"' EXIT
asked=$work/asked
cat >"$asked" <<'{_HERE}'
@ADDRESSES@{_HERE}
@ASK@ |
awk '
    NR == FNR {{ asked[$0] = 1; next }}
    {{
        sub(/\\r$/, "")
        end = index($0, "... ")
        address = tolower(substr($0, 1, end - 1))
        if (end && address in asked && index(substr($0, end + 4), "deliverable: ") != 1)
            printf "%s\\t%s\\n", address, substr($0, end + 4)
    }}
    END {{ print "{_WHOLE}" }}' "$asked" -
)
"""


def parse_astray(output: str) -> tuple[Verdict, ...]:
    """Given what astray_script printed, return the verdicts on the addresses that go astray, an alias's without a word.

    Raise TextError where the output is not whole.
    """
    lines = output.rstrip("\n").split("\n")
    if lines.pop() != _WHOLE:
        raise TextError("the answers about the addresses are not whole")
    return tuple(_verdict(address, said) for address, _, said in (line.partition("\t") for line in lines))


def parse(output: str) -> tuple[Verdict, ...]:
    """Given what `sendmail -bv` printed, return the verdicts in its order, without its warnings."""
    found = (_LINE.fullmatch(line.rstrip("\r")) for line in output.split("\n"))
    return tuple(_verdict(line[1], line[2]) for line in found if line)


def verdict_on(output: str, address: str) -> Verdict | None:
    """Given what `sendmail -bv` printed, return the verdict on an address in any case, None if it has none.

    An alias has none: what it leads to has one.
    """
    return next((verdict for verdict in parse(output) if verdict.address.lower() == address.lower()), None)


def _verdict(address: str, message: str) -> Verdict:
    found = _DELIVERABLE.fullmatch(message)
    if not found:
        return Verdict(address, error=message)
    return Verdict(address, found[1], found[2] or "", found[3])


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text.lower()
