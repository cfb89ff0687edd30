"""Whether what Sendmail reads is what its sources make: a rebuild would drop what was put in behind their back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from migrator.change import HostName
from migrator.errors import CommandFailed, Refused, sentences
from migrator.hosts.derived import Derived, Kind, look_script, parse
from migrator.sendmail import authinfo
from migrator.steps.base import Context

EDITED_CF = "edited-cf"
"""The word of --force that lets sendmail.cf be made anew although it is not what sendmail.mc makes."""

EDITED_MAPS = "edited-maps"
"""The word of --force that lets a map or the aliases be made anew although they are not what their source makes."""

_LONGEST = 170.0  # seconds; a Sendmail that looks for its own name takes a minute


def look(context: Context, host: HostName) -> tuple[Derived, ...]:
    """Return what is not what its source makes on a host, with passwords masked.

    Raises CommandFailed where it cannot be told.
    """
    output = context.reader(host).inspect(look_script(context.facts(host)), timeout=_LONGEST)
    if output.status != 0:
        raise CommandFailed(
            "it cannot be told whether sendmail.cf and the maps are what their sources make",
            status=output.status,
            host=host,
            expected="m4 and makemap can write into a folder of their own in /tmp",
            seen=(output.stderr or output.stdout).strip()[-500:],
            advice="see what `m4 /etc/mail/sendmail.mc`, `df -h /tmp` and `df -i /tmp` say there",
        )
    found = parse(output.stdout)
    return tuple(replace(one, difference=authinfo.masked(one.difference)) for one in found)


def word_of(kind: Kind) -> str:
    """Return the word of --force for a kind of file."""
    return {"cf": EDITED_CF, "makefile": "edited-makefile"}.get(kind, EDITED_MAPS)


def headline(one: Derived) -> str:
    """Return in one sentence what was found of a file."""
    if one.kind == "fault":
        return f"{one.path} cannot be made of {one.source}"
    return f"{one.path} is not what {one.source} makes, and the next rebuild would make it so"


def advice(one: Derived) -> str:
    """Return what to do about a file."""
    if one.kind == "fault":
        return f"mend {one.source}, for a rebuild makes nothing of it"
    if one.kind == "cf":
        return (
            f"lines with - stand in {one.path} alone: put what is needed of them into {one.source} (SMART_HOST, "
            "LOCAL_CONFIG), run make -C /etc/mail, and see that mail goes where it went"
        )
    if one.kind == "makefile":
        return f"make may write {one.path} anew without these lines: keep them in a file of their own"
    return (
        f"lines with - stand in {one.path} alone: put what is needed of them into {one.source}, take lines with + "
        "out of it that shall not count, and rebuild by make -C /etc/mail or newaliases"
    )


def remade(one: Derived, sources: Collection[str]) -> bool:
    """Return whether a rebuild after a change of these sources makes a file anew."""
    return one.due or one.source in sources


def forced(context: Context, host: HostName, word: str) -> bool:
    """Return whether a word of --force was given, now or when the run changed this host before."""
    return word in context.force or f"{word}.{host}" in context.memory


def expect_made(
    context: Context, host: HostName, found: Collection[Derived], sources: Collection[str]
) -> tuple[Derived, ...]:
    """Given what is not what its source makes, and the sources that a change writes, return what is remade by force.

    Raises Refused with the difference where --force does not name it.
    """
    at_stake = [one for one in found if remade(one, sources)]
    refused = [one for one in at_stake if one.kind == "fault" or not forced(context, host, word_of(one.kind))]
    if refused:
        first = refused[0]
        raise Refused(
            "; ".join(headline(one) for one in refused),
            host=host,
            expected="nothing is lost by a rebuild: every file is what its source makes",
            seen="\n".join(one.difference for one in refused),
            advice=sentences(advice(one) for one in refused),
            lifted_by=None if first.kind == "fault" else word_of(first.kind),
        )
    return tuple(at_stake)
