"""What is wrong with a host's Sendmail, worst first. Each rule looks at what was seen, and at nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from migrator.sendmail import log, safety, tally
from migrator.sendmail.processes import Process
from migrator.sendmail.safety import Kind
from migrator.steps.rules.finding import Finding, Level, some
from migrator.toolbox.diagnosis.seen import Seen

OLD = 24 * 3600
"""From which age on, in seconds, a message in the queue is told of."""

TROUBLES = 5

_RELOAD = "reload Sendmail (kill -HUP, or its service), and see that another process listens"


def findings(seen: Seen) -> tuple[Finding, ...]:
    """Given what was seen of a host, return what every rule finds: failures first, then warnings, then the rest."""
    order = list(Level)[::-1]
    found = [finding for rule in RULES for finding in rule(seen)]
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def daemon(seen: Seen) -> Iterator[Finding]:
    """Fail where nothing listens, and where what listens is older than a file that it reads at its start only."""
    listeners = seen.running.listeners
    if not listeners:
        advice = "start Sendmail, and see its log where it does not stay"
        yield _fail("daemon", "no Sendmail accepts connections", advice)
        return
    since = min(started(seen, one) for one in listeners)
    newer = [path for path in seen.loaded if seen.times.get(path, 0) > since + 1]
    if newer:
        yield _fail(
            "loaded", f"younger than what the daemon loaded ({moment(since)} UTC): {some(newer)}", _RELOAD
        )
    else:
        yield _passed("daemon", f"listens since {moment(since)} UTC, and no file that it loaded is younger")


def identity(seen: Seen) -> Iterator[Finding]:
    """Warn of a name without a domain: each start of Sendmail waits a minute for a better one (conf.c)."""
    name = seen.build.macros.get("j", "")
    if "." not in name:
        advice = "give the host a full name first in /etc/hosts, or set confDOMAIN_NAME"
        yield _warn("name", f"the host calls itself {name or 'nothing'}, which is no full name", advice)
    if not seen.build.options & {"STARTTLS"}:
        yield _warn("build", "this Sendmail was built without STARTTLS", "install the distribution's package")


def addresses(seen: Seen) -> Iterator[Finding]:
    """Fail for each alias or virtual user that leads to an address which does not exist."""
    for verdict in seen.verdicts:
        if verdict.error:
            advice = "correct the alias or the virtusertable entry that leads there"
            yield _fail("address", f"{verdict.address}: {verdict.error}", advice)
    good = sum(not verdict.error for verdict in seen.verdicts)
    more = f"; {seen.unverified} more were not asked for" if seen.unverified else ""
    yield _passed(
        "addresses", f"{good} addresses that aliases and virtual users lead to are deliverable{more}"
    )


def queues(seen: Seen) -> Iterator[Finding]:
    """Fail where mail programs cannot hand their mail over; warn of what waits for long, is held or is lost."""
    if seen.queues.client:
        level = _warn if seen.queues.answered else _fail
        yield level("client-queue", seen.queues.explanation, "see `migrate queue top --by reason`")
    for kind, advice in (
        ("quarantined", "release them with `sendmail -qQ -Q`, or remove them"),
        ("lost", "Sendmail could not read them (Qf files): look at them by hand"),
    ):
        held = [one for one in seen.queues.all if one.kind == kind]
        if held:
            yield _warn("queue", f"{len(held)} messages are {kind}: {some([one.id for one in held])}", advice)
    since = tally.oldest(seen.queues.mta)
    if since and seen.now - since.timestamp() > OLD:
        reason = tally.top(seen.queues.mta, "reason", 1)[0]
        text = f"{len(seen.queues.mta)} messages wait, the oldest since {since:%Y-%m-%d %H:%M} UTC"
        yield _warn("queue", f"{text}; most ({reason.messages}): {reason.name}", "see `migrate queue top`")


def tables(seen: Seen) -> Iterator[Finding]:
    """Fail where a map is older than its source, or missing: what was edited does not count yet."""
    for table in seen.tables:
        source, built = seen.times.get(table.source), seen.times.get(table.built)
        if source is not None and built is not None and source > built:
            yield _fail(
                "map", f"{table.built} is older than {table.source}", "make -C /etc/mail, or newaliases"
            )
        elif built is None and (source is not None or not table.optional):
            yield _fail(
                "map", f"{table.built} of {table.name} is missing", "make -C /etc/mail, or newaliases"
            )


def permissions(seen: Seen) -> Iterator[Finding]:
    """Fail for a file that Sendmail does not trust; warn of one that only DontBlameSendmail lets pass."""
    allowed = safety.flags(seen.cf.option("DontBlameSendmail") or "")
    trusted = {0, *_numbers(seen)}
    kinds: list[tuple[str, Kind, set[int]]] = [
        (path, "forward", {*trusted, uid}) for path, uid in seen.forwards.items()
    ]
    kinds += [(path, "include", trusted) for path in seen.included]
    kinds += [(file.path, "class", trusted) for file in seen.cf.class_files]
    for table in seen.tables:
        kind: Kind = "alias" if table.name == "aliases" else "map"
        kinds += [(table.source, kind, trusted), (table.built, kind, trusted)]
    told: set[tuple[str, str]] = set()
    for path, kind, owners in kinds:
        for weak in (
            safety.weaknesses(path, kind, seen.safety, allowed, trusted=owners) if path in seen.safety else ()
        ):
            if (weak.path, weak.reason) in told:
                continue
            told.add((weak.path, weak.reason))
            of = "" if weak.path == path else f" (above {path})"
            if weak.hidden:
                hidden = f"{weak.path} {weak.reason}{of}, which DontBlameSendmail={weak.flag} hides"
                yield _warn("permissions", hidden, f"chmod go-w {weak.path}, and leave the flag out")
            else:
                consequence = "is ignored without a word" if kind == "forward" else "may be refused"
                text = f"{weak.path} {weak.reason}{of}: {path} {consequence}"
                yield _fail("permissions", text, f"chmod go-w {weak.path}, or give it to its owner")


def logged(seen: Seen) -> Iterator[Finding]:
    """Warn of the last troubles in the log."""
    for line in log.troubles(seen.log, TROUBLES):
        number = f"{line.id}: " if line.id else ""
        yield _warn("log", f"{line.time} {number}{line.text}", "see the whole log around this line")
    if not seen.log:
        yield _warn(
            "log", "no line of Sendmail's stands in the log", "see whether syslog or the journal runs there"
        )


RULES: tuple[Callable[[Seen], Iterator[Finding]], ...] = (
    *(daemon, identity, addresses, queues, tables, permissions, logged),
)


def started(seen: Seen, process: Process) -> int:
    """Return when a process started, in seconds since the epoch."""
    return round(seen.now - seen.running.uptime + process.started / seen.running.ticks)


def moment(seconds: int) -> str:
    """Return seconds since the epoch as a date and a time of UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def _numbers(seen: Seen) -> list[int]:
    """Return the numbers of the users that Sendmail itself is (options TrustedUser and RunAsUser)."""
    names = [(seen.cf.option(name) or "").partition(":")[0] for name in ("TrustedUser", "RunAsUser")]
    return [seen.facts.accounts[name].uid for name in names if name in seen.facts.accounts]


def _fail(name: str, text: str, advice: str) -> Finding:
    return Finding(name, Level.FAIL, text, advice)


def _warn(name: str, text: str, advice: str) -> Finding:
    return Finding(name, Level.WARN, text, advice)


def _passed(name: str, text: str) -> Finding:
    return Finding(name, Level.PASS, text)
