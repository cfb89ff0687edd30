"""What a host's log says of its mail: from the files of both families, or from the journal of systemd."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from migrator.hosts.base import Reader
from migrator.sendmail import log

FILES = ("/var/log/mail.log", "/var/log/maillog")
"""Where syslog writes the facility mail: on Debian, and on the Red Hat family."""

_JOURNAL = "journalctl --no-pager -q -o short-iso SYSLOG_FACILITY=2 2>/dev/null"

_SCRIPT = """found=
for file in {files}; do
    if [ -r "$file" ]; then found=yes; {filter} <"$file"; fi
done
if [ -z "$found" ] && command -v journalctl >/dev/null 2>&1; then {journal} | {filter}; fi
exit 0
"""


def last(reader: Reader, most: int = 5000) -> tuple[log.Line, ...]:
    """Return Sendmail's last lines of a host's log; `most` limits how many lines are read of it."""
    return log.parse(reader.inspect(_script(f"tail -n {most}")).stdout)


def about(reader: Reader, numbers: Iterable[str]) -> tuple[log.Line, ...]:
    """Return the lines about messages with these numbers in the queue, oldest first; none for no number."""
    wanted = " ".join(f"-e {shlex.quote(f': {number}: ')}" for number in numbers)
    return log.parse(reader.inspect(_script(f"grep -aF {wanted}")).stdout) if wanted else ()


def _script(filtering: str) -> str:
    return _SCRIPT.format(files=" ".join(FILES), filter=filtering, journal=_JOURNAL)
