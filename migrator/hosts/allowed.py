"""Which programs only inspect: what `read` lets through, and what it refuses before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_PLACES = re.compile(r"(?:/usr)?(?:/local)?/s?bin/|/usr/lib/sm\.bin/")


def _anything(_arguments: Sequence[str]) -> bool:
    return True


def _only(*patterns: str) -> Callable[[Sequence[str]], bool]:
    """Return a rule: every argument matches one of the patterns."""
    expression = re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.DOTALL)
    return lambda arguments: all(expression.fullmatch(argument) for argument in arguments)


def _first(*words: str) -> Callable[[Sequence[str]], bool]:
    """Return a rule: the first argument that is no option is one of the words."""
    return lambda arguments: next((each for each in arguments if not each.startswith("-")), "") in words


def _find(arguments: Sequence[str]) -> bool:
    return not any(re.match(r"-(delete|exec|ok|fprint|fls)", argument) for argument in arguments)


def _sendmail(arguments: Sequence[str]) -> bool:
    options = [argument for argument in arguments if argument.startswith("-")]
    inspecting = any(argument in {"-bt", "-bv", "-bp", "-bP"} for argument in options)
    known = re.compile(r"-(?:b[tvpP]|d[0-9.,-]*|A[cm]|C.+|v)", re.DOTALL)
    return inspecting and all(known.fullmatch(option) for option in options)


def _rsync(arguments: Sequence[str]) -> bool:
    writing = re.compile(r"--(?:only-)?write-batch|--log-file|--daemon")
    return bool({"-n", "--dry-run"} & set(arguments)) and not any(map(writing.match, arguments))


def _ip(arguments: Sequence[str]) -> bool:
    words = [argument for argument in arguments if not argument.startswith("-")]
    return words[1:2] in (["show"], ["get"], ["list"], []) and words[:1] != ["netns"]


_RULES: dict[str, Callable[[Sequence[str]], bool]] = {
    **dict.fromkeys(["cat", "stat", "ls", "grep", "ps", "getent", "id", "uname", "df", "du"], _anything),
    **dict.fromkeys(["sha256sum", "test", "readlink", "wc", "head", "tail", "cmp", "diff"], _anything),
    "getenforce": _anything,
    "find": _find,
    "sendmail": _sendmail,
    "mailq": _only("-v", "-Ac"),
    "makemap": _only("-l"),
    "rsync": _rsync,
    "date": _only(r"\+.*", "-u"),
    "hostname": _only("-[fsdiIA]", "--fqdn"),
    "ip": _ip,
    "ss": lambda arguments: not any(re.match(r"-\w*K|--kill", argument) for argument in arguments),
    "systemctl": _first("is-active", "is-enabled", "status", "show", "cat", "list-units"),
    "iptables": lambda arguments: arguments[:1] in (["-S"], ("-S",)),
    "ip6tables": lambda arguments: arguments[:1] in (["-S"], ("-S",)),
    "nft": _first("list"),
    **dict.fromkeys(("apache2ctl", "apachectl", "httpd"), _only("-[StvVM]", "configtest")),
    "nginx": _only("-[tTvV]"),
    "sshd": _only("-[TtV]"),
}


def check_inspecting(argv: Sequence[str]) -> None:
    """Given a program with its arguments, raise ValueError where it is not known to only inspect."""
    if not argv or any("\0" in argument for argument in argv):
        raise ValueError("no program, or an argument with a NUL")
    name = _PLACES.sub("", argv[0], count=1)
    rule = _RULES.get(name)
    if rule is None:
        raise ValueError(f"{argv[0]!r} is not known to only inspect")
    if not rule(argv[1:]):
        raise ValueError(f"{argv[0]!r} may do more than inspect with these arguments: {list(argv[1:])!r}")
