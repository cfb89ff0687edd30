"""Hardening: the items of `hardening`, shown as on, off or different, and set by name or all together."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from migrator import host_text
from migrator.change import Change, HostName, Upload
from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.hosts.families import WAYS
from migrator.net import blocklists
from migrator.net.blocklists import Health
from migrator.sendmail.cf import parse as parse_cf
from migrator.steps.base import Context
from migrator.steps.common import configure
from migrator.steps.common.configure import ACCESS, CF, MC, Sources, read
from migrator.toolbox.base import Tool
from migrator.toolbox.hardening import Found, Item, Seen, live_lists
from migrator.toolbox.hardening_items import chosen, items

ALIASES = "/etc/aliases"
LookUp = Callable[[Sequence[str]], Mapping[str, tuple[str, ...]]]


class Harden(Tool):
    """Set the options that keep abuse out.

    Given the host, the items by name, each with a value of its own behind `=` where that is wanted (all of them where
    there is no name), the blocklists to ask, and what looks names up (None: the host itself does).
    """

    name = "harden"

    def __init__(
        self,
        host: HostName,
        names: Sequence[str] = (),
        *,
        zones: Sequence[str] = (),
        look_up: LookUp | None = None,
    ) -> None:
        super().__init__(host)
        try:
            self._zones = tuple(dict.fromkeys(map(blocklists.checked_zone, zones or blocklists.TODAY)))
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._look_up = look_up
        self._all = not names
        self._items = chosen(items(self._zones), names)
        self._health: dict[str, Health] = {}

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return every item with its state."""
        seen, _ = self._seen(context)
        own = {item.name: item for item in self._items}
        every = [own.get(item.name, item) for item in items(self._zones)]
        return {item.name: _words(item.look(seen), item) for item in every}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change of all files that the chosen items stand in. Raises Refused for one that cannot be set."""
        seen, sources = self._seen(context)
        paths = self._paths(sources)
        wanted = seen
        for item in self._items:
            found = item.look(seen)
            if found.state == "unfit" and not self._all:
                raise Refused(f"{item.name} cannot be set: {found.seen}", host=self.host, seen=found.seen)
            if found.state in ("off", "differs"):
                wanted = item.apply(wanted)
        texts = {paths["mc"]: wanted.mc, paths["access"]: wanted.access, paths["aliases"]: wanted.aliases}
        before = {path: sources.texts.get(path) for path in texts}
        # A file that is not there and stays empty is not made.
        texts = {path: text for path, text in texts.items() if text or before[path] is not None}
        rebuilt = _NEWALIASES if texts.get(paths["aliases"]) != before[paths["aliases"]] else ""
        names = ", ".join(item.name for item in self._items if item.look(seen).state in ("off", "differs"))
        change = configure.change(context, self.host, f"harden: {names}", sources, texts, test=rebuilt)
        if change:
            yield _with_newaliases(change) if rebuilt else change

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where a chosen item is not on by what the files say now."""
        seen, _ = self._seen(context)
        found = {item.name: item.look(seen) for item in self._items}
        missing = {name: one for name, one in found.items() if one.state in ("off", "differs")}
        if missing:
            raise VerifyFailed(
                f"not everything is set: {', '.join(missing)}",
                host=self.host,
                expected="every chosen item on",
                seen="; ".join(f"{name} {one.state}: {one.seen}" for name, one in missing.items()),
                advice="see what else sets these: another line of sendmail.mc, or a file that it includes",
            )

    def _seen(self, context: Context) -> tuple[Seen, Sources]:
        reader, facts = context.reader(self.host), context.facts(self.host)
        sources = read(context, self.host)
        paths = self._paths(sources)
        texts = {**sources.texts, **reader.read_files((paths["aliases"], CF))}
        sources = Sources(texts, parse_cf(texts[CF] or ""))
        folder = f"{WAYS[facts.family].cf_folder}/feature"
        listed = host_text.lines(reader.read("ls", folder).stdout)
        text = sources.text(MC)
        seen = Seen(
            mc=text,
            access=sources.text(paths["access"]),
            aliases=sources.text(paths["aliases"]),
            cf=sources.cf,
            addresses=facts.addresses,
            features=frozenset(name.removesuffix(".m4") for name in listed),
            lists=self._lists(context, (*self._zones, *live_lists(text))),
        )
        return seen, sources

    def _paths(self, sources: Sources) -> dict[str, str]:
        given = (sources.cf.option("AliasFile") or "").rpartition(":")[2].split(",")[0].strip()
        path = given if given.startswith("/") else ALIASES
        # Debian's is a link; the file that it leads to changes.
        return {"mc": MC, "access": sources.map_path("access", ACCESS), "aliases": path}

    def _lists(self, context: Context, zones: Sequence[str]) -> Mapping[str, Health]:
        """Return what became of the test entries, looked up once for each list."""
        new = [zone for zone in dict.fromkeys(zones) if zone not in self._health and _is_zone(zone)]
        asked = {zone: blocklists.questions(zone) for zone in new}
        names = [name for one in asked.values() for name in (one.listed, one.unlisted)]
        look_up = self._look_up or (lambda wanted: self._by_host(context, wanted))
        answers = look_up(names) if names else {}
        self._health.update({zone: blocklists.health(zone, answers) for zone in new})
        return self._health

    def _by_host(self, context: Context, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Look names up on the host, with the resolver that its Sendmail will ask."""
        script = "".join(
            f"echo {shlex.quote(name)} $(limit 8 getent ahostsv4 {shlex.quote(name)}. | cut -d ' ' -f 1 | sort -u)\n"
            for name in names
        )
        limit = (
            'limit() { if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }\n'
        )
        output = context.reader(self.host).inspect(f"{limit}{script}exit 0")
        lines = [host_text.words(line) for line in host_text.lines(output.stdout) if host_text.words(line)]
        return {words[0]: tuple(words[1:]) for words in lines}


_NEWALIASES = "newaliases >/dev/null 2>&1 || { echo 'newaliases failed' >&2; exit 1; }\n"


def _words(found: Found, item: Item) -> str:
    return f"{found.state:7}  {item.purpose}" + (f" ({found.seen})" if found.seen else "")


def _is_zone(zone: str) -> bool:
    try:
        blocklists.checked_zone(zone)
    except ValueError:
        return False
    return True


def _with_newaliases(change: Change) -> Change:
    """Return a change whose undo rebuilds the aliases too, where it does not bring their database back itself."""
    if not (isinstance(change.do, Upload) and isinstance(change.undo, Upload)):
        raise TypeError("a change of the configuration is an upload")
    undo = change.undo
    written = {edit.path for edit in undo.files}
    if not any(f"{edit.path}.db" in written for edit in change.do.files):
        undo = replace(undo, then=f"newaliases >/dev/null 2>&1 || :\n{undo.then}")
    do = replace(change.do, otherwise=f"newaliases >/dev/null 2>&1 || :\n{change.do.otherwise}")
    return replace(change, do=do, undo=undo)
