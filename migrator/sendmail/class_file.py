"""Reads and edits the files that fill a class of Sendmail: local-host-names, relay-domains,
VIRTUSER_DOMAIN_FILE.

The Sendmail Installation and Operation Guide (5.1.4, "F") leaves the form of a line to a scanf pattern; `%s`
takes the first word, `%[^\\#]` every word before a `#`. A line that begins with `#` is skipped in both.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from migrator import host_text
from migrator.sendmail.maps import append_line, fold, lines
from migrator.sendmail.routes import checked_domain

_WORD = re.compile(r"[^\s#]+[ \t]*", re.ASCII)


def names(text: str) -> tuple[str, ...]:
    """Given a class file, return its names in order and in lower case, whatever pattern reads it."""
    return tuple(fold(word) for line in lines(text) for word in host_text.words(line.partition("#")[0]))


def add_domain(text: str, domain: str) -> str:
    """Given a class file, return it with a domain in it, once. Raise TextError for what is no domain."""
    domain = checked_domain(domain)
    return text if domain in names(text) else append_line(text, domain)


def remove_domain(text: str, domain: str) -> str:
    """Given a class file, return it without a domain, in any case, and with every other line and comment as
    it is.

    Raise TextError for what is no domain.
    """
    return remove_domains(text, (domain,))


def remove_domains(text: str, domains: Collection[str]) -> str:
    """Given a class file, return it without these domains, as remove_domain leaves it, in one reading of the file."""
    gone = frozenset(map(checked_domain, domains))
    return "".join(_without(line, gone) for line in lines(text))


def _without(line: str, gone: frozenset[str]) -> str:
    text, mark, comment = line.partition("#")
    if gone.isdisjoint(host_text.words(fold(text))):
        return line
    text = _WORD.sub(
        lambda word: "" if fold(host_text.stripped(word.group())) in gone else word.group(), text
    )
    return f"{text}{mark}{comment}" if mark or host_text.stripped(text) else ""
