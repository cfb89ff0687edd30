"""What ssh_config makes of a destination: `ssh -G` is the judge (ssh(1)), as it knows every word of ssh_config(5).

Where this machine has no such ssh, paramiko's reader stands in, but only for a file of which it understands every line:
a criterion that it does not know counts as met there, and would lead to another machine.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator import host_text
from migrator.errors import HostError
from migrator.hosts.ssh_config_files import SYSTEM, only_plain, rewritten
from migrator.plan.endpoint import Endpoint, parse_endpoint

MOST_JUMPS = 8
"""How many hosts may lie on the way: more are a circle."""

_PATIENCE = 30  # seconds; a Match exec may ask the network
_USUAL_KEYS = ("id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss")
_USUAL_HOSTS = ("known_hosts", "known_hosts2")
_UNKNOWN_OPTION = re.compile(r"(?:unknown|illegal|invalid) option|^usage:", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where ssh goes for a destination: `alias` is the name of its host key, "" for its own.

    `keys` are files of private keys that are there; with `keys_only` no usual ones besides. `known_hosts` are files
    beside the usual ones. `command` is a ProxyCommand, ready to be started; `jumps` lead there from first to last.
    """

    host: str
    port: int
    user: str
    alias: str = ""
    keys: tuple[Path, ...] = ()
    keys_only: bool = False
    known_hosts: tuple[Path, ...] = ()
    command: str = ""
    jumps: tuple[Destination, ...] = ()


def resolve(endpoint: Endpoint, *, name: str, depth: int = 0) -> Destination:
    """Given a destination and the host it stands for ("old" or "new"), return where ssh would go; nothing is contacted.

    A `Match exec` runs, as it does for ssh itself. Raises HostError where ssh refuses its configuration, or where
    nobody can tell what it means.
    """
    if depth > MOST_JUMPS:
        raise _refused(name, endpoint, "", "the hosts of ProxyJump lead in a circle")
    said = _ask_ssh(endpoint, name)
    words = said if said is not None else _read_by_ourselves(endpoint, name)
    return _destination(words, endpoint, name, depth)


def _ask_ssh(endpoint: Endpoint, name: str) -> Mapping[str, list[str]] | None:
    """Return what `ssh -G` says by keyword; None where there is no ssh that can be asked so (OpenSSH before 6.8)."""
    words = ["ssh", "-G"]
    words += ["-l", endpoint.user] if endpoint.user else []
    words += ["-p", str(endpoint.port)] if endpoint.port else []
    with tempfile.TemporaryDirectory(prefix="migrate-") as folder:
        # ssh takes the home of the password database, everything here that of the environment, as a shell does.
        file = rewritten(_home(), Path(folder)) if _home() != _home_of_ssh() else None
        words += ["-F", str(file)] if file else []
        try:
            done = subprocess.run(
                [*words, "--", endpoint.host],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (FileNotFoundError, PermissionError):
            return None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _refused(name, endpoint, str(error), "ssh does not say where it goes") from None
        text = done.stdout.decode("utf-8", "surrogateescape")
        complaint = done.stderr.decode("utf-8", "replace")
        if file:
            complaint = complaint.replace(folder, "~/.ssh")
    if done.returncode != 0:
        if _UNKNOWN_OPTION.search(complaint) and "onfiguration option" not in complaint:
            return None
        raise _refused(name, endpoint, complaint.strip()[-500:], "ssh does not take its configuration")
    return _keywords(text)


def _keywords(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in host_text.lines(text):
        word, _, value = line.partition(" ")
        found.setdefault(word.lower(), []).append(value)
    return found


def _read_by_ourselves(endpoint: Endpoint, name: str) -> Mapping[str, list[str]]:
    import paramiko

    config = paramiko.SSHConfig()
    for file in (_home() / ".ssh/config", SYSTEM):
        try:
            text = file.read_text("utf-8", "surrogateescape")
        except OSError:
            continue
        if odd := only_plain(text, file.parent):
            raise _refused(
                name, endpoint, f"{file}: {odd}", "this machine has no ssh that tells what it means"
            )
        try:
            config.parse(iter(text.split("\n")))
        except (paramiko.SSHException, ValueError) as error:
            raise _refused(name, endpoint, f"{file}: {error}", "it cannot be read") from None
    found = config.lookup(endpoint.host)
    words = {key: value if isinstance(value, list) else [value] for key, value in found.items()}
    given = {"user": endpoint.user, "port": str(endpoint.port or "")}
    return {
        "user": [getpass.getuser()],
        "port": ["22"],
        **words,
        **{key: [one] for key, one in given.items() if one},
    }


def _destination(words: Mapping[str, list[str]], endpoint: Endpoint, name: str, depth: int) -> Destination:
    def one(key: str) -> str:
        value = words.get(key, [""])[0]
        return "" if value.lower() == "none" else value

    host, user = one("hostname") or endpoint.host, one("user")
    port = int(one("port")) if one("port").isdecimal() else 22
    tokens = {
        **{"h": host, "n": endpoint.host, "p": str(port), "r": user, "u": getpass.getuser(), "%": "%"},
        "d": str(_home()),
        **({"k": one("hostkeyalias") or endpoint.host}),
    }
    if one("proxyusefdpass") == "yes" and one("proxycommand"):
        raise _refused(
            name, endpoint, "ProxyUseFdpass yes", "the program cannot be handed a connection that way"
        )
    command = _expanded(one("proxycommand"), tokens)
    if command is None:
        raise _refused(
            name, endpoint, one("proxycommand"), "the program does not know a %-token of ProxyCommand"
        )
    files = [
        path for given in words.get("identityfile", ()) if (path := _path(given, tokens)) and path.is_file()
    ]
    only = one("identitiesonly") == "yes"
    usual = {_home() / ".ssh" / key for key in _USUAL_KEYS}
    known = [
        path
        for given in words.get("userknownhostsfile", ())
        for each in _parted(given)
        if (path := _path(each, tokens)) and path.name not in _USUAL_HOSTS
    ]
    return Destination(
        host,
        port,
        user,
        alias=one("hostkeyalias"),
        keys=tuple(path for path in files if only or path not in usual),
        keys_only=only,
        known_hosts=tuple(dict.fromkeys(known)),
        command=f"sh -c {shlex.quote(f'exec {command}')}" if command else "",
        jumps=() if command else _jumps(one("proxyjump"), endpoint, name, depth),
    )


def _jumps(text: str, endpoint: Endpoint, name: str, depth: int) -> tuple[Destination, ...]:
    found: list[Destination] = []
    for hop in filter(None, text.split(",")):
        # ssh puts brackets around any host that has a port.
        plain = re.sub(r"\[([^\]:]*)\]", r"\1", hop.removeprefix("ssh://").rstrip("/"))
        try:
            there = resolve(parse_endpoint(plain), name=name, depth=depth + 1)
        except ValueError as error:
            why = "a host on the way has no plain name"
            raise _refused(name, endpoint, f"ProxyJump {text}: {error}", why) from None
        # The way to the first host goes by its own settings; from there on each host leads to the next.
        found += [*(() if found else there.jumps), there]
    return tuple(found)


def _expanded(text: str, tokens: Mapping[str, str]) -> str | None:
    """Return a text with its %-tokens (ssh_config(5), TOKENS) put in, None where one of them is not known."""
    if any(token not in tokens for token in re.findall(r"%(.?)", text, re.DOTALL)):
        return None
    return re.sub(r"%(.)", lambda found: tokens[found[1]], text)


def _path(text: str, tokens: Mapping[str, str]) -> Path | None:
    bare = _expanded(text.strip('"'), tokens)
    if not bare or bare.lower() == "none":
        return None
    return _home() / bare[2:] if bare.startswith("~/") else Path(bare).expanduser()


def _parted(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return host_text.words(text)


def _home() -> Path:
    return Path("~").expanduser()


def _home_of_ssh() -> Path:
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return _home()


def _refused(name: str, endpoint: Endpoint, seen: str, why: str) -> HostError:
    return HostError(
        f"what ssh_config says of {endpoint.host} cannot be followed: {why}",
        host=name,
        expected=f"one meaning, that of `ssh -G {endpoint.host}`",
        seen=seen or None,
        advice=f"see what `ssh -G {endpoint.host}` says here, or write user@host:port and identity_file into the plan",
    )
