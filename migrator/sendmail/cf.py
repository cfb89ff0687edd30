"""Reads a sendmail.cf: where the maps, class files and queues of a host really are.

The source is the Sendmail Installation and Operation Guide, chapter 5 ("The whole scoop on the configuration
file"), and sendmail/readcf.c for comments (`#` unless escaped), one-letter options and `F` lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from migrator import host_text

FILE_TYPES = frozenset({"hash", "btree", "dbm", "cdb", "lmdb", "text"})
"""The types of map that are kept in a file."""

_LETTERS = {"Q": "QueueDirectory", "p": "PrivacyOptions", "O": "DaemonPortOptions", "A": "AliasFile"}
_COMMENT = re.compile(r"(?<![\\$])#.*\Z", re.DOTALL)
_OPTION = re.compile(r"O\s+([A-Za-z.-]+)\s*=\s*(.*)", re.DOTALL | re.ASCII)
_SHORT_OPTION = re.compile(r"O([A-Za-z])(.*)", re.DOTALL)
_NAMED = re.compile(r"\{([^}]*)\}(.*)|(.)(.*)", re.DOTALL)
_MAP = re.compile(r"K\s*([A-Za-z0-9][A-Za-z0-9_.]*)\s+([A-Za-z0-9]+)\s*(.*)", re.DOTALL | re.ASCII)
_FILE = re.compile(r"\s*(-o\S*\s+)?(\S+)\s*(.*)", re.DOTALL | re.ASCII)
_MAILER = re.compile(r"M\s*([^\s,]+)\s*,\s*(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class MapDeclaration:
    """A `K` line: the map's name, its type ("hash"), its options ("-o"), and its path, "" for none."""

    name: str
    type: str
    options: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class ClassFile:
    """An `F` line: its class ("w"), the file, whether it may be missing, the scanf pattern of a line."""

    name: str
    path: str
    optional: bool
    pattern: str


@dataclass(frozen=True, slots=True)
class Mailer:
    """An `M` line: the mailer's name, and its fields by their first letter ("P": path, "F": flags)."""

    name: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DaemonPort:
    """One DaemonPortOptions; what it leaves out is as the Guide says: port smtp, family inet, any address."""

    name: str
    port: str
    address: str
    family: str
    modifiers: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a sendmail.cf says, in its order. Values are as written, macros (`$w`) not expanded."""

    options: tuple[tuple[str, str], ...] = ()
    maps: tuple[MapDeclaration, ...] = ()
    class_files: tuple[ClassFile, ...] = ()
    mailers: tuple[Mailer, ...] = ()
    macros: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_directories: tuple[str, ...] = ()

    def option(self, name: str) -> str | None:
        """Given an option's long name in any case, return its last value, None where it is not set."""
        values = [value for option, value in self.options if option.lower() == name.lower()]
        return values[-1] if values else None

    def map(self, name: str) -> MapDeclaration | None:
        """Given a map's name ("mailertable", "access", "virtuser"), return its declaration, None for none."""
        return next((declared for declared in reversed(self.maps) if declared.name == name), None)

    def mailer(self, name: str) -> Mailer | None:
        """Given a mailer's name ("esmtp"), return its definition, None where there is none."""
        return next((mailer for mailer in reversed(self.mailers) if mailer.name == name), None)

    def files_of_class(self, name: str) -> tuple[ClassFile, ...]:
        """Given a class ("w", "R", "VirtHost"), return the files that fill it."""
        return tuple(file for file in self.class_files if file.name == name)

    @property
    def queue_directory(self) -> str:
        """Where the queue is; a `*` at the end stands for every directory whose name begins so."""
        return self.option("QueueDirectory") or "/var/spool/mqueue"

    @property
    def queue_directories(self) -> tuple[str, ...]:
        """Where every queue is: the default one, and those of queue groups that name their own (`Q` lines, Path=)."""
        default = self.queue_directory
        # Sendmail works in the default one, or above it where that ends in a `*` (queue.c, setup_queues).
        base = default.rpartition("/")[0] if default.endswith("*") else default
        groups = (path if path.startswith("/") else f"{base}/{path}" for path in self.group_directories)
        return tuple(dict.fromkeys((default, *groups)))

    @property
    def host_status_directory(self) -> str | None:
        """Where the state of other hosts is remembered, None for nowhere; relative to the queue directory."""
        return self.option("HostStatusDirectory") or None

    @property
    def max_message_size(self) -> int:
        """The largest message taken, in bytes; 0 means no limit."""
        value = _bare(self.option("MaxMessageSize") or "")
        return int(value) if re.fullmatch("[0-9]{1,18}", value) else 0

    @property
    def privacy(self) -> frozenset[str]:
        """The PrivacyOptions of all lines, in lower case."""
        values = (value for name, value in self.options if name.lower() == "privacyoptions")
        return frozenset(filter(None, (_bare(word).lower() for value in values for word in value.split(","))))

    @property
    def daemon_ports(self) -> tuple[DaemonPort, ...]:
        """The sockets that the daemon listens on; where none is given, port smtp on every address."""
        values = [value for name, value in self.options if name.lower() == "daemonportoptions"]
        return tuple(_daemon_port(value) for value in values or [""])


def parse(text: str) -> Configuration:
    """Given a sendmail.cf, return what it declares; lines that are none of these are passed over."""
    options: list[tuple[str, str]] = []
    maps: list[MapDeclaration] = []
    files: list[ClassFile] = []
    mailers: list[Mailer] = []
    macros: dict[str, str] = {}
    classes: dict[str, tuple[str, ...]] = {}
    groups: list[str] = []
    for line in _logical_lines(text):
        name, value = _name_and_value(line[1:])
        match line[0]:
            case "O":
                options += _option(line)
            case "K":
                maps += _map(line)
            case "F" if found := _FILE.fullmatch(value):
                files.append(ClassFile(name, found[2], bool(found[1]), found[3] or "%s"))
            case "M":
                mailers += _mailer(line)
            case "Q":
                groups += _group_directory(line)
            case "D":
                macros[name] = value
            case "C":
                classes[name] = classes.get(name, ()) + tuple(host_text.words(value))
            case _:
                continue
    return Configuration(
        tuple(options), tuple(maps), tuple(files), tuple(mailers), macros, classes, tuple(groups)
    )


def _logical_lines(text: str) -> Iterator[str]:
    """Yield the lines with their continuations (a leading blank) joined, without comments."""
    joined = re.sub(r"\r?\n[ \t]+", " ", text)
    for line in joined.split("\n"):
        bare = _COMMENT.sub("", line).rstrip() if line[:1] != "#" else ""
        if bare:
            yield bare.replace("\\#", "#")


def _name_and_value(rest: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(rest)
    if not found:
        return "", ""
    return found[1] or found[3] or "", found[2] or found[4] or ""


def _option(line: str) -> list[tuple[str, str]]:
    if found := _OPTION.fullmatch(line):
        return [(found[1], found[2])]
    found = _SHORT_OPTION.fullmatch(line)
    return [(_LETTERS.get(found[1], found[1]), found[2])] if found else []


def _map(line: str) -> list[MapDeclaration]:
    found = _MAP.fullmatch(line)
    if not found:
        return []
    words = host_text.words(found[3])
    paths = [word for word in words if not word.startswith("-")] if found[2] in FILE_TYPES else []
    options = tuple(word for word in words if word.startswith("-"))
    return [MapDeclaration(found[1], found[2], options, paths[0] if paths else "")]


def _mailer(line: str) -> list[Mailer]:
    found = _MAILER.fullmatch(line)
    if not found:
        return []
    parts = (_bare(part).partition("=") for part in found[2].split(","))
    return [
        Mailer(
            found[1],
            {_bare(name)[:1]: _bare(value) for name, _, value in parts if _bare(name)},
        )
    ]


def _group_directory(line: str) -> list[str]:
    """Read a queue group: `Qname, Path=/var/spool/mqueue/slow*, ...`; only the first letter of a field counts."""
    parts = (_bare(part).partition("=") for part in line.split(",")[1:])
    return [_bare(value) for name, _, value in parts if _bare(name)[:1] == "P" and _bare(value)]


def _daemon_port(value: str) -> DaemonPort:
    parts = (part.partition("=") for part in value.split(","))
    given = {_bare(name)[:1].upper(): _bare(setting) for name, _, setting in parts if _bare(name)}
    return DaemonPort(
        given.get("N", ""),
        given.get("P", "smtp"),
        given.get("A", ""),
        given.get("F", "inet"),
        given.get("M", ""),
    )


def _bare(text: str) -> str:
    return host_text.stripped(text)
