"""The items of `harden`: what each looks for, and how it edits the files it stands in.

What the options mean is said by the Sendmail Installation and Operation Guide (5.6); how they are set by cf/README
("CONFIGURATION OPTIONS", "ANTI-SPAM CONFIGURATION CONTROL", "Delay all checks").
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from migrator.errors import UsageError
from migrator.net.blocklists import Health
from migrator.sendmail import aliases, effective, maps, mc
from migrator.sendmail.cf import Configuration
from migrator.sendmail.routes import address_keys

State = Literal["on", "off", "differs", "unfit"]
BIN = "dev-null"
_GOAWAY = frozenset(
    {"authwarnings", "noexpn", "novrfy", "needmailhelo", "needexpnhelo", "needvrfyhelo", "noverb"}
)
"""What the flag goaway stands for (Guide, 5.6, PrivacyOptions)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a host: its files, what sendmail.cf says, its addresses, the features that its version has.

    `lists` tells of each blocklist in question whether it works.
    """

    mc: str
    access: str
    aliases: str
    cf: Configuration
    addresses: tuple[str, ...]
    features: frozenset[str]
    lists: Mapping[str, Health]


@dataclass(frozen=True, slots=True)
class Found:
    """The state of an item, and what was seen in words."""

    state: State
    seen: str = ""


class Item(ABC):
    """One thing to be set: its name, what it is for, and the value that is wanted."""

    name: str
    purpose: str

    @abstractmethod
    def look(self, seen: Seen) -> Found:
        """Return the state of this item."""

    @abstractmethod
    def apply(self, seen: Seen) -> Seen:
        """Return the files with this item on. Raises TextError where they cannot be edited."""


@dataclass(frozen=True)
class Flags(Item):
    """Flags of PrivacyOptions, added to those that are there."""

    name: str
    purpose: str
    flags: tuple[str, ...]

    def look(self, seen: Seen) -> Found:
        """Say whether all flags are there."""
        present = _present(seen)
        missing = [flag for flag in self.flags if flag not in present]
        words = ",".join(sorted(seen.cf.privacy)) or "no flags"
        if not missing:
            return Found("on", words)
        return Found(
            "differs" if len(missing) < len(self.flags) else "off", f"{words}, without {','.join(missing)}"
        )

    def apply(self, seen: Seen) -> Seen:
        """Add what is missing, behind what sendmail.mc or a file that it includes has."""
        written = mc.defined_value(seen.mc, "confPRIVACY_FLAGS")
        now = written if written is not None else ",".join(sorted(seen.cf.privacy))
        flags = [flag.strip() for flag in now.split(",") if flag.strip()]
        covered = {flag.lower() for flag in flags} | (_GOAWAY if "goaway" in flags else frozenset())
        value = ",".join([*flags, *(flag for flag in self.flags if flag not in covered)])
        return replace(seen, mc=mc.ensure_option(seen.mc, "confPRIVACY_FLAGS", value))


@dataclass(frozen=True)
class Option(Item):
    """One option with a value. `stricter`: a smaller or a larger number is as good."""

    name: str
    purpose: str
    macro: str
    option: str
    value: str
    stricter: Literal["smaller", "larger", ""] = ""

    def look(self, seen: Seen) -> Found:
        """Compare what sendmail.cf says with the value."""
        value = seen.cf.option(self.option)
        if not value:
            return Found("off", "not set")
        value = value.strip()
        good = value == self.value or self._as_strict(value)
        return Found("on" if good else "differs", value if good else f"{value}, not {self.value}")

    def apply(self, seen: Seen) -> Seen:
        """Define the macro of the option."""
        return replace(seen, mc=mc.ensure_option(seen.mc, self.macro, self.value))

    def _as_strict(self, value: str) -> bool:
        number = re.match("[0-9]{1,9}", value)
        if not number or not self.stricter:
            return False
        now, wanted = int(number[0]), int(self.value)
        return 0 < now <= wanted if self.stricter == "smaller" else now >= wanted


@dataclass(frozen=True)
class DelayChecks(Item):
    """Checks wait for the recipient, and friends of the access map pass them."""

    name: str = "delay-checks"
    purpose: str = "a refusal is logged with its recipient; Spam:USER@ FRIEND in access spares one"

    def look(self, seen: Seen) -> Found:
        """Say whether the feature is live, with friend."""
        calls = mc.find(seen.mc, "FEATURE", "delay_checks")
        if not calls:
            return Found("off", "no FEATURE(`delay_checks')")
        friend = any(call.arguments[1:2] and call.arguments[1][:1].lower() == "f" for call in calls)
        return Found("on" if friend else "differs", "" if friend else "without `friend'")

    def apply(self, seen: Seen) -> Seen:
        """Make the feature live."""
        return replace(seen, mc=mc.ensure_feature(seen.mc, "delay_checks", "friend"))


@dataclass(frozen=True)
class BlocklistRecipients(Item):
    """The access map may refuse mail to a recipient; the feature had another name before 8.16."""

    name: str = "blocklist-recipients"
    purpose: str = "the access map may refuse mail to a recipient"

    def look(self, seen: Seen) -> Found:
        """Say whether the feature is live under either name."""
        on = any(mc.has_feature(seen.mc, name) for name in ("blocklist_recipients", "blacklist_recipients"))
        return Found("on") if on else Found("off", "no FEATURE(`blocklist_recipients')")

    def apply(self, seen: Seen) -> Seen:
        """Make the feature live under the name that the version has, with the access map that it needs."""
        new = "blocklist_recipients" in seen.features
        text = mc.ensure_feature(
            _with_access(seen), "blocklist_recipients" if new else "blacklist_recipients"
        )
        return replace(seen, mc=text)


@dataclass(frozen=True)
class DoubleBounce(Item):
    """A bounce that bounces goes to an alias that leads to nowhere."""

    name: str = "double-bounce"
    purpose: str = f"a bounce that bounces goes to {BIN}, an alias of /dev/null"

    def look(self, seen: Seen) -> Found:
        """Look for the option and for the alias."""
        value = seen.cf.option("DoubleBounceAddress") or ""
        alias = aliases.parse(seen.aliases).get(BIN)
        if value != BIN:
            return Found("differs" if value not in ("", "postmaster") else "off", value or "postmaster")
        return (
            Found("on")
            if alias == ("/dev/null",)
            else Found("differs", f"the alias {BIN} is {alias or 'missing'}")
        )

    def apply(self, seen: Seen) -> Seen:
        """Define the option, and add the alias where there is none."""
        text = seen.aliases
        known = aliases.parse(text).get(BIN)
        if known not in (None, ("/dev/null",)):
            raise UsageError(f"there is an alias {BIN} that leads elsewhere", seen=", ".join(known or ()))
        if known is None:
            text = maps.append_line(text, f"{BIN}: /dev/null")
        return replace(seen, mc=mc.ensure_option(seen.mc, "confDOUBLE_BOUNCE_ADDRESS", BIN), aliases=text)


@dataclass(frozen=True)
class OwnAddress(Item):
    """The host's own addresses pass every check, also where a blocklist names one."""

    name: str = "own-address"
    purpose: str = "the host does not refuse itself where a blocklist names it"

    def look(self, seen: Seen) -> Found:
        """Look for the lines that count for the addresses, as Sendmail does."""
        if not seen.addresses:
            return Found("unfit", "no address of the host is known")
        if refusing := effective.barriers(seen.access, seen.addresses, {}):
            lines = ", ".join(f"{entry.key} {entry.value}" for entry in refusing)
            return Found("unfit", f"access refuses the host itself by {lines}: take that out first")
        missing = self._missing(seen)
        return Found("on") if not missing else Found("off", f"no {', '.join(missing)} OK")

    def apply(self, seen: Seen) -> Seen:
        """Add an entry for each address for which none counts: one more would hide that it may relay."""
        text = seen.access
        for key in self._missing(seen):
            text = maps.set_entry(text, key, "OK")
        return replace(seen, access=text, mc=_with_access(seen))

    def _missing(self, seen: Seen) -> tuple[str, ...]:
        forms = (form for address in seen.addresses for form in address_keys(address))
        table = effective.Table(seen.access)
        return tuple(
            f"Connect:{form}"
            for form in forms
            if not effective.accepts(table.by_address(form, "Connect", untagged=True))
        )


@dataclass(frozen=True)
class Blocklists(Item):
    """Connections from listed addresses are refused; a list that is dead goes."""

    zones: tuple[str, ...]
    name: str = "blocklists"
    purpose: str = "connections from addresses that a DNS blocklist names are refused"

    def look(self, seen: Seen) -> Found:
        """Say which lists are asked, which are not, and which of those that are do not work."""
        working = self._working(seen)
        asked = live_lists(seen.mc)
        dead = [zone for zone in asked if seen.lists.get(zone, Health.DEAD) is not Health.ANSWERS]
        words = [
            f"{zone} {seen.lists[zone].value}"
            for zone in dict.fromkeys((*asked, *self.zones))
            if zone in seen.lists
        ]
        if not working:
            return Found("unfit", "; ".join(words) or "no list is named")
        if dead or set(working) - set(asked):
            return Found("differs" if asked else "off", "; ".join(words))
        return Found("on", ", ".join(asked))

    def apply(self, seen: Seen) -> Seen:
        """Remove the lists that do not work, and add the wanted ones that do."""
        text, working = seen.mc, self._working(seen)
        for zone in live_lists(text):
            if working and seen.lists.get(zone, Health.DEAD) is not Health.ANSWERS:
                for name in ("dnsbl", "enhdnsbl"):
                    for call in mc.find(text, "FEATURE", name):
                        if call.arguments[1:2] == (zone,) or call.arguments[1:2] == (zone.upper(),):
                            text = mc.remove(text, "FEATURE", name, call.arguments[1])
        for zone in working:
            if zone not in live_lists(text):
                text = mc.ensure_feature(text, "dnsbl", zone)
        return replace(seen, mc=text)

    def _working(self, seen: Seen) -> list[str]:
        return [zone for zone in self.zones if seen.lists.get(zone) is Health.ANSWERS]


def live_lists(text: str) -> tuple[str, ...]:
    """Given an .mc file, return the blocklists that it asks, in lower case."""
    calls = [call for name in ("dnsbl", "enhdnsbl") for call in mc.find(text, "FEATURE", name)]
    return tuple(dict.fromkeys(call.arguments[1].lower() for call in calls if len(call.arguments) > 1))


def _present(seen: Seen) -> frozenset[str]:
    return seen.cf.privacy | (_GOAWAY if "goaway" in seen.cf.privacy else frozenset())


def _with_access(seen: Seen) -> str:
    return mc.ensure_feature(seen.mc, "access_db")
