"""Reads Sendmail's queue: the control files that say what waits, for whom, since when and why.

The Sendmail Installation and Operation Guide (appendix B, "Summary of support files", and 2.3.1) describes
them; sendmail/queue.c (readqf) is the reference. `qf` files are the queue, `hf` quarantined, `Qf` lost to the
queue runner; `df` hold the bodies, `xf` transcripts, and `tf` and `Tf` are being written.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from migrator.sendmail import addresses
from migrator.sendmail.text_error import TextError

READER = r"""
LC_ALL=C; export LC_ALL
wanted=$1
shift
read_queue() {
  for folder in "$1/" "$1/qf/"; do
    [ -d "$folder" ] || continue
    find "$folder" -maxdepth 1 -type f -name '[qhQ]f?*' -exec grep -lZsiaE -e "$wanted" {} + |
    xargs -0 -r grep -aHZs -e '^[VTKNMSCRq.]'
  done
}
for directory in "$@"; do
  case $directory in
    *'*') for match in "${directory%\*}"*/; do [ -d "$match" ] && read_queue "${match%/}"; done ;;
    *) read_queue "$directory" ;;
  esac
done
printf '\000'
"""
"""A POSIX shell text for parse_dump: given an expression that some line must match, and queue directories, prints
each line of the control files but their headers.

Each line stands behind the file's name and a NUL. A name has no NUL and a line no newline, so nothing in a message
can look like the frame; a last NUL ends the whole, so that a broken connection is seen. A few processes read all:
one for each file would take minutes where 100,000 messages wait.
"""

_PLAIN = r"""
{ place = index($0, "\001"); if (!place) next; path = substr($0, 1, place - 1); line = substr($0, place + 1) }
path != last { last = path; version = 0; named = 0 }
line ~ /^V/ { version = substr(line, 2) + 0; next }
!named {
  address = substr(line, 2)
  if (version) sub(/^[A-Za-z0-9]*:/, "", address)
  sub(/^</, "", address); sub(/>$/, "", address)
  if (address ~ /^[A-Za-z0-9.!#$&'*+=?^_`{}~-]+@(\[[A-Za-z0-9.:]+\]|[A-Za-z0-9._-]+)$/ && address !~ /!/) {
    sub(/.*@/, "", address); sub(/\.+$/, "", address); address = tolower(address)
    if (address in known) next
    known[address] = 1
  }
  print path
  named = 1
}
"""
"""An awk program: given the V and R lines of control files behind their names, names those files that have a recipient
who is more than a plain address, or the first one of a domain. What is not surely plain counts as more."""

ELSEWHERE = READER.replace(
    """grep -lZsiaE -e "$wanted" {} + |""",
    """grep -aHZs -e '^[VR]' {} + |
    tr '\\000' '\\001' | awk "$wanted" | tr '\\n' '\\000' |""",
)
"""As READER, but for an awk program in place of the expression. awk reads no file itself: mawk would end at one that
left the queue meanwhile."""

LOCAL = "^R[^@]*$"
"""Matches the line of a recipient without a domain: a mailbox, a program or a file, aliases resolved."""

_LINE = re.compile(r"([^\0]+)\0([^\n]*)\n")
_KINDS = {"q": "queued", "h": "quarantined", "Q": "lost"}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One `R` line: the address alone, its flags, and why it still waits ("" if unsaid).

    `written` is the address as the line has it, with name and comment, as an alias, a list or a client wrote it.
    `controlling` is the user of the `C` line before it, by whose rights a program runs and a file is written; "" for
    none, and then Sendmail returns what is for a program or a file.
    """

    address: str
    flags: str
    reason: str
    written: str = ""
    controlling: str = ""

    @property
    def domain(self) -> str:
        """The part behind the last `@`, in lower case; "" for a local user, a program or a file."""
        return addresses.domain(self.address)

    @property
    def text(self) -> str:
        """The recipient as Sendmail reads it at the next run of the queue."""
        return self.written or self.address


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One control file. Times are aware, `last_attempt` None before the first; "" is the sender of a bounce.

    `kind` is "queued", "quarantined" or "lost"; `complete` says that the file ended as one of version 3 or
    later must; `folder` is where the file stands, "" where that was not told.
    """

    id: str
    kind: str
    version: int
    sender: str
    recipients: tuple[Recipient, ...]
    created: datetime | None
    last_attempt: datetime | None
    attempts: int
    reason: str
    complete: bool
    folder: str = ""

    def recipients_in(self, domains: Collection[str]) -> tuple[Recipient, ...]:
        """Given domains in any case, return the recipients that are in one of them."""
        wanted = _lower(domains if isinstance(domains, frozenset) else tuple(domains))
        return tuple(recipient for recipient in self.recipients if recipient.domain in wanted)

    @property
    def local_recipients(self) -> tuple[Recipient, ...]:
        """The recipients without a domain: mailboxes, programs and files of this host, aliases resolved."""
        return tuple(recipient for recipient in self.recipients if not recipient.domain)


@lru_cache(maxsize=8)
def _lower(domains: Collection[str]) -> frozenset[str]:
    # Thousands of messages are asked for the same thousands of domains.
    return frozenset(domain.lower() for domain in domains)


def in_domains(domains: Collection[str]) -> str:
    """Given domains, return the expression that matches the line of a recipient in one of them, and few others.

    An address literal (RFC 5321 4.1.3) is one as well. Raise TextError for what is no domain.
    """
    for domain in domains:
        if not is_domain(domain):
            raise TextError(f"{domain!r} is no domain")
    return f"^R.*@({'|'.join(re.sub(r'[].[]', _literally, domain) for domain in domains)})"


def is_domain(text: str) -> bool:
    """Return whether a text is a domain, or an address literal, by which messages of a queue can be asked for."""
    return re.fullmatch(r"[A-Za-z0-9._-]+|\[[A-Za-z0-9.:]+\]", text) is not None


def _literally(found: re.Match[str]) -> str:
    return "[.]" if found[0] == "." else f"\\{found[0]}"


def reader_command(directories: Sequence[str], wanted: str) -> tuple[str, ...]:
    """Given queue directories as a sendmail.cf names them (`/var/spool/mqueue/q*`), and what some line of a message
    must match (an extended regular expression, in any case), return the command that reads those messages.

    Raise TextError for a directory that is not absolute.
    """
    return ("sh", "-c", READER, "sh", wanted, *_checked(directories))


def elsewhere_command(directories: Sequence[str], domains: Collection[str]) -> tuple[str, ...]:
    """Given queue directories, return the command that reads the messages that tell where else mail goes.

    These are every message with a recipient that is more than a plain address (a bare name, a program, a file, a name
    with brackets), and one message for each domain that is none of `domains`: a queue may hold 100,000 messages for
    one dead host. Raise TextError for a directory that is not absolute, and for what is no domain.
    """
    in_domains(domains)
    known = "".join(f'known["{domain.lower()}"] = 1; ' for domain in domains)
    return ("sh", "-c", ELSEWHERE, "sh", f"BEGIN {{ {known}}}{_PLAIN}", *_checked(directories))


def elsewhere_script(directories: Sequence[str], domains: Collection[str]) -> str:
    """Given queue directories and any number of domains, return the sh text that does what elsewhere_command does.

    Raise TextError for a directory that is not absolute, and for what is no domain.
    """
    if len(domains) <= MANY:
        return shlex.join(elsewhere_command(directories, domains))
    in_domains(domains)
    read = shlex.join(("sh", "-c", ELSEWHERE, "sh", f"{_KNOWN_BY_FILE}{_PLAIN}", *_checked(directories)))
    return _with_domains([domain.lower() for domain in domains], f"export domains\n{read}")


def _with_domains(lines: Collection[str], command: str) -> str:
    """Return the sh text that runs a command while the file of the variable `domains` holds the lines."""
    listed = "".join(f"{line}\n" for line in lines)
    return (
        f"(\ndomains=$(mktemp) || exit 70\ntrap 'rm -f \"$domains\"' EXIT\n"
        f"cat >\"$domains\" <<'{_HERE}'\n{listed}{_HERE}\n{command}\n)"
    )


def _checked(directories: Sequence[str]) -> Sequence[str]:
    for directory in directories:
        if not directory.startswith("/") or "\0" in directory:
            raise TextError(f"{directory!r} is no queue directory")
    return directories


MANY = 100
"""From how many domains on a file holds them: one argument of a command ends at 128 KiB (execve(2))."""

_BY_FILE = READER.replace(
    """grep -lZsiaE -e "$wanted" {} + |""",
    """grep -aHZs -e '^R' {} + | tr '\\000' '\\001' |
    grep -aiF -f "$wanted" | cut -d "$(printf '\\001')" -f 1 | uniq | tr '\\n' '\\000' |""",
)
_HERE = "END_OF_THE_DOMAINS"
_KNOWN_BY_FILE = """BEGIN { while ((getline name < ENVIRON["domains"]) > 0) known[name] = 1 }
"""


def domains_script(directories: Sequence[str], domains: Collection[str]) -> str:
    """Given queue directories and any number of domains, return the sh text that reads what waits for them.

    It prints the messages with a recipient in one of the domains, for parse_dump, and few others.

    Raise TextError for a directory that is not absolute, and for what is no domain.
    """
    words = reader_command(directories, in_domains(domains))
    if len(domains) <= MANY:
        return shlex.join(words)
    read = shlex.join(("sh", "-c", _BY_FILE, "sh"))
    return _with_domains([f"@{domain}" for domain in domains], f'{read} "$domains" {shlex.join(directories)}')


def parse_dump(output: str) -> tuple[QueuedMessage, ...]:
    """Given what READER printed, return the messages in its order; what a content holds of NUL is left out.

    Raise TextError where the output ends early.
    """
    contents: dict[str, list[str]] = {}
    position = 0
    while found := _LINE.match(output, position):
        contents.setdefault(found[1], []).append(found[2].replace("\0", ""))
        position = found.end()
    if output[position:] != "\0":
        raise TextError("the list of the queue is not whole")
    return tuple(_parse(path, "\n".join(lines) + "\n") for path, lines in contents.items())


def parse(name: str, content: str) -> QueuedMessage:
    """Given a control file's name without folders and what it holds, return the message.

    Lines of other versions are passed over. A quarantined message's reason is that of its quarantine (`q`, since
    version 8). Raise TextError where the name is none of a control file.
    """
    return _parse(name, content)


def _parse(path: str, content: str) -> QueuedMessage:
    folder, _, name = path.rpartition("/")
    kind = _KINDS.get(name[:1])
    if kind is None or name[1:2] != "f" or len(name) < 3:
        raise TextError(f"{name!r} is no control file of a queue")
    lines = tuple(_folded(content))
    last = _last_values(lines)
    return QueuedMessage(
        id=name[2:],
        kind=kind,
        version=_number(last.get("V", "")),
        sender=addresses.bare(last.get("S", "")),
        recipients=tuple(_recipients(lines)),
        created=_time(last.get("T", "")),
        last_attempt=_time(last.get("K", "")),
        attempts=_number(last.get("N", "")),
        reason=last.get("q") or next((line[1:] for line in _before_recipients(lines) if line[0] == "M"), ""),
        complete=bool(lines) and lines[-1] == ".",
        folder=folder.rstrip("/"),
    )


def _folded(content: str) -> Iterator[str]:
    """Yield the lines of a control file with their continuations (a leading blank), up to the `.`."""
    current = ""
    for line in content.split("\n"):
        if current and line[:1] in (" ", "\t"):
            current += "\n" + line
            continue
        if current:
            yield current
        if current == ".":
            return
        current = line
    if current:
        yield current


def _last_values(lines: Sequence[str]) -> dict[str, str]:
    return {line[0]: line[1:] for line in lines}


def _before_recipients(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the message itself: an `M` behind the sender's belongs to the next recipient."""
    for line in lines:
        if line[0] in "SR":
            return
        yield line


def _recipients(lines: Sequence[str]) -> Iterator[Recipient]:
    reason, flagged, own, controlling = "", False, False, ""
    for line in lines:
        if line[0] == "V":
            flagged = _number(line[1:]) >= 1
        elif line[0] == "S":
            own = True
        elif line[0] == "M" and own:
            reason = line[1:]
        elif line[0] == "C":
            controlling = line[1:].partition(":")[0]
        elif line[0] == "R":
            flags, _, address = line[1:].partition(":") if flagged else ("", "", line[1:])
            yield Recipient(addresses.bare(address), flags, reason, address.strip(), controlling)
            reason = ""


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _time(text: str) -> datetime | None:
    """Return seconds since 1970 as a time; None for 0, which means never, and for what is no time."""
    seconds = _number(text)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 253402300800 else None
