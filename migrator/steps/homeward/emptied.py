"""What a host's queue has to be free of before its relay is taken away: mail that would be delivered there then."""

from __future__ import annotations

from migrator.sendmail import queue
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.base import Context
from migrator.steps.common import waiting

_LEFT = r"""stage == "known" { known[$0]; next }
$0 == "\001" { whole = 1; next }
{
    place = index($0, "\001")
    path = substr($0, 1, place - 1)
    rest = tolower(substr($0, place + 1))
    if (!place || rest !~ /^r/) next
    sub(/.*\//, "", path)
    if (path !~ kinds || path in told) next
    while (at = index(rest, "@")) {
        rest = substr(rest, at + 1)
        domain = rest
        sub(/[^a-z0-9._-].*/, "", domain)
        sub(/\.+$/, "", domain)
        if (domain in known) { told[path]; print path; next }
    }
}
END { if (!whole) { print "the list of the queue is not whole"; exit 1 } }
"""
"""An awk program: given the output of the reader of queues, a byte 1 for each NUL, and a line for each domain, prints
the names of the control files with a recipient in one of them.

The reader itself also names those of example.org.test, which may wait for good. What it prints ends with that byte
alone, so a look that broke off is not taken for an empty queue.
"""


def emptied(context: Context, *, every: int, times: int, otherwise: str, held: bool) -> str:
    """Return the script that runs the new host's queue until nothing waits there for the domains.

    After so many `times`, `every` so many seconds, it does `otherwise`. With `held`, quarantined and lost messages
    (hf and Qf files), which no run of a queue delivers, count as well; without, they were told to somebody.
    """
    return (
        f"tries=0\nuntil ( {waiting.run_for_domains(context, 'new')}{_empty(context, held=held)} ); do\n"
        f"    tries=$((tries + 1))\n    if [ $tries -ge {times} ]; then {otherwise}; fi\n    sleep {every}\ndone\n"
    )


def _empty(context: Context, *, held: bool) -> str:
    domains = [domain.lower() for domain in context.plan.domains]
    listed = "".join(f"{domain}\n" for domain in domains)
    read = queue.domains_script(parse_cf(context.facts("new").cf).queue_directories, domains)
    kinds = "^[qhQ]f" if held else "^qf"
    return (
        "left=$(mktemp -d) || exit 1\n"
        f"cat >\"$left/known\" <<'END_OF_THE_DOMAINS'\n{listed}END_OF_THE_DOMAINS\n"
        f"( {read} ) | tr '\\000' '\\001' |\n"
        f"    LC_ALL=C awk -v kinds='{kinds}' '{_LEFT}' stage=known \"$left/known\" stage=left - >\"$left/names\"\n"
        "status=$?\nnames=$(head -n 20 \"$left/names\" | tr '\\n' ' ')\nrm -rf \"$left\"\n"
        'if [ $status -ne 0 ] || [ -n "$names" ]; then\n'
        '    echo "mail for the domains still waits in the queue: $names" >&2\n    exit 1\nfi\n'
    )
