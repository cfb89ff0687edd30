"""The key of a migration: on the new host a pair, on the old one a line that lets it read the planned trees alone."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

HELLO = "migrate-read {name}"
"""What the old host answers to a knock with the key."""

KNOCK = "migrate-hello"
LOAD = "migrate-load"
TREE = "migrate-tree-"
LOOK = "migrate-look-"
SIZES = "migrate-sizes-"
"""What a command over the key begins with; the last three are followed by the number of a tree in the plan."""

LOOK_ALL = f"{LOOK}all"
"""The look at all trees of the plan at once."""

TREES = f"{TREE}all-"
"""What a sending rsync for several trees of the plan begins with; their numbers follow, each with "-" behind it."""

_PUBLIC_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}|sk-\S{1,60}) ([A-Za-z0-9+/]{16,}={0,3})"
)


@dataclass(frozen=True, slots=True)
class KeyPaths:
    """Where the new host keeps the pair, what it knows of the old host's key, and which ciphers are fast on both."""

    private: str
    public: str
    known_hosts: str

    @property
    def ciphers(self) -> str:
        """Return the path of the file that names the ciphers; there is none where the usual ones are as good."""
        return f"{self.private}.ciphers"

    @property
    def files(self) -> tuple[str, ...]:
        """Return every file of the key on the new host."""
        return (self.private, self.public, self.known_hosts, self.ciphers)

    @classmethod
    def of(cls, name: str, home: str) -> KeyPaths:
        """Given a migration's name and the home folder of the user that ssh logs in as, return the paths."""
        base = f"{home.rstrip('/')}/.ssh/migrate-{name}"
        return cls(base, f"{base}.pub", f"{base}.known_hosts")


@dataclass(frozen=True, slots=True)
class DoorPaths:
    """Where the old host keeps what lets the key in; `others` may hold a line of it as well."""

    authorized_keys: str
    wrapper: str
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, home: str, files: Sequence[str] = ()) -> DoorPaths:
        """Return the paths, given a migration's name, the home folder of the user that ssh logs in as, and the files.

        `files` are those where sshd looks for that user's keys; none of them: where it does by default.
        """
        folder = f"{home.rstrip('/')}/.ssh"
        usual = f"{folder}/authorized_keys"
        chosen = usual if usual in files or not files else files[0]
        others = tuple(path for path in dict.fromkeys((usual, *files)) if path != chosen)
        return cls(chosen, f"{folder}/migrate-{name}.sh", others)

    @property
    def files(self) -> tuple[str, ...]:
        """Return every file that may hold the migration's line."""
        return (self.authorized_keys, *self.others)


def ssh_options(keys: KeyPaths, control: str = "none") -> tuple[str, ...]:
    """Return ssh's options for the way to the old host: with this key and this host key only (ssh_config(5)).

    `control` is the socket of a connection that is shared; "none": a connection of its own.
    """
    return (
        *("BatchMode=yes", "IdentitiesOnly=yes", f"ControlPath={control}", "ControlMaster=no"),
        # Whatever ssh_config says there: no key by SSHFP, nothing forwarded to a host that is about to be left.
        *("StrictHostKeyChecking=yes", "VerifyHostKeyDNS=no", "ClearAllForwardings=yes", "ForwardAgent=no"),
        *(f"UserKnownHostsFile={keys.known_hosts}", "GlobalKnownHostsFile=/dev/null"),
        *("ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4"),
    )


def authorized_line(
    name: str, public_key: str, sources: Sequence[str], wrapper_path: str, openssh: tuple[int, int] = (0, 0)
) -> str:
    """Return the line of authorized_keys that lets a key run the wrapper, from the given addresses, and nothing else.

    `restrict` is of OpenSSH 7.2 (sshd(8)); an older or unknown one gets its parts by name. Raises ValueError for
    what is no public key, no address, or no path that stands on one line.
    """
    if re.search(r"[\x00-\x1f\x7f-\x9f]", wrapper_path):
        raise ValueError("the path of the wrapper holds a control character")
    restrict = (
        "restrict" if openssh >= (7, 2) else "no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding"
    )
    command = f"sh {shlex.quote(wrapper_path)}".replace('"', '\\"')
    return entry(name, public_key, sources, restrict, f'command="{command}"')


def entry(name: str, public_key: str, sources: Sequence[str], *options: str) -> str:
    """Return the migration's line of authorized_keys, given the addresses it is good for and its other options.

    Raises ValueError for what is no public key or no address.
    """
    found = _PUBLIC_KEY.match(public_key)
    if found is None and not public_key.startswith("ssh-ed25519 ("):
        raise ValueError("no public key in the form of OpenSSH")
    key = f"{found[1]} {found[2]}" if found else public_key
    addresses = ",".join(str(ipaddress.ip_address(source)) for source in sources)
    first, *others = options
    restrictions = ",".join([first, f'from="{addresses}"', *others])
    return f"{restrictions} {key} migrate:{name}\n"


def with_entry(text: str, name: str, line: str) -> str:
    """Given the text of authorized_keys, return it with this line as the migration's only one, at the end."""
    kept = without_entry(text, name)
    return kept + ("" if not kept or kept.endswith("\n") else "\n") + line


def without_entry(text: str, name: str) -> str:
    """Given the text of authorized_keys, return it without the migration's line; every other byte stays."""
    own = re.compile(rf"[ \t\r\v\f]migrate:{re.escape(name)}[ \t\r\v\f]*\n?\Z")
    # A line ends where sshd ends it, which is not everywhere that Unicode would.
    return "".join(line for line in re.split(r"(?<=\n)", text) if not own.search(line))


def remove_entry_script(door: DoorPaths, name: str) -> str:
    """Return the sh script that takes the migration's line and wrapper away; other lines stay as they are."""
    return f"""for file in {shlex.join(door.files)}; do
    if [ -L "$file" ]; then file=$(readlink -f -- "$file"); fi
    if [ -f "$file" ] && grep -q '[[:space:]]migrate:{name}[[:space:]]*$' "$file"; then
        new=$(mktemp "$file.XXXXXXXX") || exit 1
        cp -a --attributes-only -- "$file" "$new" || exit 1
        sed '/[[:space:]]migrate:{name}[[:space:]]*$/d' "$file" >"$new" || {{ rm -f "$new"; exit 1; }}
        mv -f -- "$new" "$file" || exit 1
    fi
done
rm -f -- {shlex.quote(door.wrapper)}
"""
