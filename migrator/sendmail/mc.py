"""Reads and edits Sendmail's .mc files: all other bytes stay, and an edit made twice is made once.

Where a line must stand is said by Sendmail's cf/README ("INTRODUCTION AND EXAMPLE"): VERSIONID, OSTYPE,
DOMAIN, FEATURE, local definitions, MAILER, LOCAL_*; a definition that influences a FEATURE before that
FEATURE.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from migrator import host_text
from migrator.sendmail.m4 import Call, Scan, opens_section, scan
from migrator.sendmail.text_error import TextError

_REPEATABLE = frozenset({"dnsbl", "enhdnsbl", "rhsbl", "dnsblaccess"})
_FOUNDATION = frozenset({"VERSIONID", "OSTYPE", "DOMAIN", "include", "sinclude", "define", "undefine"})
_INCLUDES = frozenset({"include", "sinclude"})
_FEATURES = frozenset({"FEATURE", "HACK"})
_MAILER_FLAGS = frozenset({"MODIFY_MAILER_FLAGS"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLAGS = re.compile(r"[+-][A-Za-z0-9%|:/@!^~]+")


def parse(text: str) -> tuple[Call, ...]:
    """Given an .mc file, return its macro calls in order, live ones and those behind `dnl`.

    Raise TextError if M4 would fail, as every function here does.
    """
    return scan(text).calls


def find(text: str, name: str, *arguments: str) -> tuple[Call, ...]:
    """Given an .mc file, return the live calls of a macro whose first arguments are these."""
    return tuple(call for call in parse(text) if call.live and _matches(call, name, arguments))


def has_feature(text: str, name: str) -> bool:
    """Given an .mc file, return whether FEATURE(name) is live."""
    return bool(find(text, "FEATURE", name))


def has_mailer(text: str, name: str) -> bool:
    """Given an .mc file, return whether MAILER(name) is live."""
    return bool(find(text, "MAILER", name))


def defined_value(text: str, name: str) -> str | None:
    """Given an .mc file, return what it defines a name as, None where it does not.

    What included files define is not seen.
    """
    return _value(_last_definition(scan(text), name))


def ensure_feature(text: str, name: str, *arguments: str) -> str:
    """Given an .mc file, return it with FEATURE(name, arguments) live, before the first MAILER.

    Without arguments any live call will do. With others than the live call has, that call is replaced; a
    feature that may stand several times (dnsbl and its like) is added. Raise TextError also for a name or an
    argument that cannot be written in M4 quotes.
    """
    scanned = scan(text)
    wanted = _write("FEATURE", _checked_name(name), *arguments)
    live = [call for call in scanned.calls if call.live and _matches(call, "FEATURE", (name,))]
    if any(not arguments or _trimmed(call.arguments[1:]) == _trimmed(arguments) for call in live):
        return text
    if live and name not in _REPEATABLE:
        return text[: live[-1].start] + wanted + text[live[-1].end :]
    limit = _limit(text, scanned)
    off = [call for call in scanned.calls if not call.live and _matches(call, "FEATURE", (name,))]
    off = [call for call in off if call.start < limit]
    after = (off or _before(scanned, _FEATURES, limit) or _before(scanned, _FOUNDATION, limit))[-1:]
    return _insert(text, scanned, wanted, after=after, limit=limit)


def ensure_define(text: str, name: str, value: str) -> str:
    """Given an .mc file, return it with define(name, value) in force, after OSTYPE and before the FEATUREs.

    A live definition with another value is replaced where it stands, an `undefine` behind it is overruled.
    Raise TextError also for a name or a value that cannot be written in M4 quotes.
    """
    scanned = scan(text)
    wanted = _write("define", _checked_name(name), value)
    last = _last_definition(scanned, name)
    if _value(last) == value:
        return text
    if last and last.name == "define":
        return text[: last.start] + wanted + text[last.end :]
    limit = _limit(text, scanned)
    if last:
        return _insert(text, scanned, wanted, after=[last], limit=len(text))
    limit = min([limit, *(call.start for call in _before(scanned, _FEATURES, limit))])
    return _insert(text, scanned, wanted, after=_before(scanned, _FOUNDATION, limit)[-1:], limit=limit)


def ensure_option(text: str, name: str, value: str, *, behind: Sequence[str] = ()) -> str:
    """Given an .mc file, return it with define(name, value) in force, for a definition that no FEATURE looks at.

    A live definition is changed where it stands. A new one comes beside a line that has it behind `dnl`, else
    behind the FEATUREs, where cf/README puts local definitions, and before the first MAILER. `behind` names included
    files that define it too: then only a definition behind them counts.
    """
    scanned = scan(text)
    limit = _limit(text, scanned)
    wanted = _write("define", _checked_name(name), value)
    includes = [call for call in _before(scanned, _INCLUDES, limit) if call.arguments[0] in behind]
    last = _last_definition(scanned, name)
    if last and all(call.start < last.start for call in includes):
        return ensure_define(text, name, value)
    off = [call for call in scanned.calls if not call.live and _matches(call, "define", (name,))]
    off = [call for call in off if call.start < limit]
    after = includes or off or _before(scanned, _FEATURES | _FOUNDATION, limit)
    return _insert(text, scanned, wanted, after=after[-1:], limit=limit)


def ensure_member(text: str, name: str, member: str) -> str:
    """Given an .mc file, return it with name(member), for a macro that adds to a class (GENERICS_DOMAIN and its like).

    A live call that names it among others will do. A new one stands behind the last of its kind, else behind the
    FEATUREs, and before the first MAILER.
    """
    scanned = scan(text)
    limit = _limit(text, scanned)
    wanted = _write(_checked_name(name), member)
    live = [call for call in scanned.calls if call.live and call.name == name and call.start < limit]
    if any(member in host_text.words(call.arguments[0]) for call in live):
        return text
    after = (live or _before(scanned, _FEATURES | _FOUNDATION, limit))[-1:]
    return _insert(text, scanned, wanted, after=after, limit=limit)


def ensure_mailer_flags(text: str, mailer: str, flags: str) -> str:
    """Given an .mc file, return it with the flags of a mailer changed, before the first MAILER.

    `mailer` is the first part of NAME_MAILER_FLAGS, in upper case ("ESMTP"); `flags` are "+k" or "-k", with
    one letter or several (cf/README, "MODIFY_MAILER_FLAGS"). cf/mailer/smtp.m4 uses them when it is read, so
    the call must stand before its MAILER; where the file sets all flags of the mailer, that call is changed,
    for cfhead.m4 then ignores additions. Raise TextError also for a mailer or flags that are no such thing.
    """
    if not _FLAGS.fullmatch(flags):
        raise TextError(f"{flags!r} is no change of mailer flags")
    wanted = _write("MODIFY_MAILER_FLAGS", _checked_name(mailer), flags)
    scanned = scan(text)
    limit = _limit(text, scanned)
    calls = _before(scanned, _MAILER_FLAGS, limit)
    given = [call for call in calls if call.arguments[0] == mailer and len(call.arguments) > 1]
    whole = [call for call in given if call.arguments[1][:1] not in ("+", "-")]
    if whole:
        changed = _changed_flags(whole[-1].arguments[1], flags)
        if changed == whole[-1].arguments[1]:
            return text
        wanted = _write("MODIFY_MAILER_FLAGS", mailer, changed)
        return text[: whole[-1].start] + wanted + text[whole[-1].end :]
    if set(flags) <= {
        flag for call in given if call.arguments[1][0] == flags[0] for flag in call.arguments[1]
    }:
        return text
    after = _before(scanned, _MAILER_FLAGS | _FEATURES | _FOUNDATION, limit)[-1:]
    return _insert(text, scanned, wanted, after=after, limit=limit)


def ensure_rules(text: str, configuration: str, rules: str) -> str:
    """Given an .mc file, return it with parts of its own for LOCAL_CONFIG and LOCAL_RULESETS, before the first of its
    own rulesets, so that these rules come first, else at its end.

    Each part begins with its macro and ends with a line end. A text that holds both is left as it is.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    wanted = (configuration + rules).replace("\n", newline)
    if wanted in text:
        return text
    scanned = scan(text)
    own = [call.start for call in scanned.calls if call.live and call.name == "LOCAL_RULESETS"]
    if own:
        place = max(start for start in scanned.line_starts if start <= own[0])
        return text[:place] + wanted + text[place:]
    gap = "" if not text or text.endswith("\n") else newline
    return f"{text}{gap}{wanted}"


def remove(text: str, name: str, *arguments: str) -> str:
    """Given an .mc file, return it without the live calls of a macro whose first arguments are these.

    The whole line goes where nothing but a `dnl` and what it disables stands beside the call.
    """
    scanned = scan(text)
    for call in reversed(scanned.calls):
        if call.live and _matches(call, name, arguments):
            start, end = _extent(text, scanned, call)
            text = text[:start] + text[end:]
    return text


def _matches(call: Call, name: str, arguments: tuple[str, ...]) -> bool:
    return call.name == name and call.arguments[: len(arguments)] == arguments


def _trimmed(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments without empty ones at the end, which mean the same as none."""
    while arguments and not arguments[-1]:
        arguments = arguments[:-1]
    return arguments


def _last_definition(scanned: Scan, name: str) -> Call | None:
    calls = [call for call in scanned.calls if call.live and call.name in ("define", "undefine")]
    return next((call for call in reversed(calls) if call.arguments[0] == name), None)


def _value(definition: Call | None) -> str | None:
    if definition is None or definition.name == "undefine":
        return None
    return definition.arguments[1] if len(definition.arguments) > 1 else ""


def _changed_flags(flags: str, change: str) -> str:
    if change[0] == "+":
        return flags + "".join(flag for flag in change[1:] if flag not in flags)
    return "".join(flag for flag in flags if flag not in change[1:])


def _before(scanned: Scan, names: frozenset[str], limit: int) -> list[Call]:
    return [call for call in scanned.calls if call.live and call.name in names and call.start < limit]


def _limit(text: str, scanned: Scan) -> int:
    """Return the offset of the first call behind which no FEATURE may stand, else the length of the text."""
    live = (call for call in scanned.calls if call.live)
    return next((call.start for call in live if call.name == "MAILER" or opens_section(call.name)), len(text))


def _insert(text: str, scanned: Scan, wanted: str, *, after: list[Call], limit: int) -> str:
    """Return the text with a line for a call: behind the given one if there is one, and before the limit."""
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"{wanted}dnl"
    last_start = max(start for start in scanned.line_starts if start <= limit)
    place = last_start if limit < len(text) else len(text)
    if after:
        place = min(next((start for start in scanned.line_starts if start >= after[0].end), len(text)), place)
    if place == len(text) and not text.endswith("\n"):
        return text + (newline if text else "") + line + ("" if text else newline)
    return text[:place] + line + newline + text[place:]


def _extent(text: str, scanned: Scan, call: Call) -> tuple[int, int]:
    """Return what goes with a call: its whole line if that says nothing else, else the call alone."""
    start = max(begin for begin in scanned.line_starts if begin <= call.start)
    end = next((begin for begin in scanned.line_starts if begin >= call.end), len(text))
    rest = text[call.end : end]
    if host_text.stripped(text[start : call.start]) or not re.fullmatch(r"\s*(dnl\b.*)?\s*", rest):
        return call.start, call.end
    if end == len(text) and not text.endswith("\n"):
        start -= 2 if text[:start].endswith("\r\n") else min(start, 1)
    return start, end


def _write(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(_quoted(argument) for argument in arguments)})"


def _quoted(argument: str) -> str:
    depth = 0
    for character in argument:
        depth += (character == "`") - (character == "'")
        if depth < 0:
            break
    if depth or not argument.isprintable():
        raise TextError(f"{argument!r} cannot be written in M4 quotes")
    return f"`{argument}'"


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise TextError(f"{name!r} is no name of M4")
    return name
