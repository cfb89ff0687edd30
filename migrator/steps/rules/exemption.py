"""Whether one host lets the other's late mail in, by what its access map says of the other's addresses."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import HostName
from migrator.sendmail import effective
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.common.at_once import at_once
from migrator.steps.common.configure import ACCESS
from migrator.steps.common.exemption import client_names, cure
from migrator.steps.common.relaying import sources_of
from migrator.steps.rules.finding import Both, Finding, Look


def let_in(both: Both) -> Iterator[Finding]:
    """Fail where the new host refuses the old one's connections; warn where only a rollback would meet that."""
    looks: tuple[tuple[Look, HostName], ...] = ((both.new, "old"), (both.old, "new"))
    addresses = [sources_of(both.context, other) for _, other in looks]
    names = at_once(
        lambda: client_names(both.new.reader, addresses[0]),
        lambda: client_names(both.old.reader, addresses[1]),
    )
    for (look, other), mine, known in zip(looks, addresses, names, strict=True):
        declared = parse_cf(look.facts.cf).map("access")
        path = (declared.path if declared and declared.path else ACCESS).removesuffix(".db")
        text = look.reader.read_file(path) if declared else None
        refusing = effective.barriers(text or "", mine, known)
        lines = ", ".join(f"{entry.key} {entry.value}" for entry in refusing)
        words = f"the access map refuses the {other} host: {lines}"
        if refusing and look.host == "new":
            yield look.failed("let-in", words, cure(path, mine))
        elif refusing:
            yield look.warned("let-in", f"{words}; a rollback relays from there", cure(path, mine))
        else:
            yield look.passed("let-in", f"the {other} host may connect")
