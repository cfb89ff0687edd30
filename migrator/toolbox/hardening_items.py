"""Every item of `harden` with its usual value: an administrator's list of twenty years, less what is dead by now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from migrator.errors import UsageError
from migrator.toolbox.hardening import (
    BlocklistRecipients,
    Blocklists,
    DelayChecks,
    DoubleBounce,
    Flags,
    Item,
    Option,
    OwnAddress,
)

_PRIVACY = ("authwarnings", "novrfy", "noexpn", "restrictqrun")

_FLAGS = (
    Flags("privacy", "VRFY and EXPN tell nobody who is there", _PRIVACY),
    Flags("helo", "a client has to greet before it sends", ("needmailhelo",)),
)
# Name, purpose, macro, option, value; of the first ones a smaller number is as good, of the next a larger one.
_AT_MOST = (
    ("children", "connections at a time", "confMAX_DAEMON_CHILDREN", "MaxDaemonChildren", "20"),
    ("header-length", "bytes of all headers", "confMAX_HEADERS_LENGTH", "MaxHeadersLength", "32000"),
    (
        "mime-header-length",
        "bytes of a MIME header",
        "confMAX_MIME_HEADER_LENGTH",
        "MaxMimeHeaderLength",
        "1024",
    ),
    (
        "bad-recipients",
        "bad guesses before a client is slowed",
        "confBAD_RCPT_THROTTLE",
        "BadRcptThrottle",
        "4",
    ),
    ("recipients", "of a message at a time", "confMAX_RCPTS_PER_MESSAGE", "MaxRecipientsPerMessage", "10"),
)
_AT_LEAST = (("free-blocks", "no mail on a full disk", "confMIN_FREE_BLOCKS", "MinFreeBlocks", "4000"),)
_TEXTS = (
    ("greeting", "the version is not told", "confSMTP_LOGIN_MSG", "SmtpGreetingMessage", "$j Sendmail; $b"),
)


def items(zones: Sequence[str]) -> tuple[Item, ...]:
    """Given the blocklists to ask, return every item with its usual value."""
    options = (
        *(Option(*words, "smaller") for words in _AT_MOST),
        *(Option(*words, "larger") for words in _AT_LEAST),
        *(Option(*words) for words in _TEXTS),
    )
    others = (DelayChecks(), DoubleBounce(), OwnAddress(), BlocklistRecipients())
    return (*_FLAGS, *options, Blocklists(tuple(zones)), *others)


def chosen(known: Sequence[Item], words: Sequence[str]) -> tuple[Item, ...]:
    """Given all items and words like "helo" or "recipients=100", return those that are named; all where none is.

    Raises UsageError for a name that is none, and for a value that the item does not take.
    """
    if not words:
        return tuple(known)
    by_name = {item.name: item for item in known}
    found: dict[str, Item] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in by_name:
            raise UsageError(f"There is no item {name!r}", expected=", ".join(by_name), seen=name)
        found[name] = with_value(by_name[name], value) if equals else by_name[name]
    return tuple(found.values())


def with_value(item: Item, value: str) -> Item:
    """Given an item and a value for it, return the item with that. Raises UsageError where it takes no such value."""
    if not isinstance(item, Option):
        raise UsageError(f"{item.name} takes no value", seen=value)
    if item.stricter and not re.fullmatch("[1-9][0-9]{0,8}", value):
        raise UsageError(f"{item.name} takes a number from 1 on", seen=value)
    if not value.isprintable() or not value.strip():
        raise UsageError(f"{item.name} takes one line of text", seen=repr(value))
    return replace(item, value=value)
