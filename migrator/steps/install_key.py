"""The new host gets a key of its own to the old one, good for nothing but reading the planned trees."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change, FileEdit, HostName, Shell, Upload
from migrator.errors import MigrateError, VerifyFailed
from migrator.mailstore import access
from migrator.mailstore.wrapper import wrapper_script
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.door import door as door_of

_PENDING = "ssh-ed25519 (the public half of the key made above)"


class InstallKey(Step):
    """Make a key on the new host, and let it read the planned trees of the old one by rsync, and nothing else."""

    name = "install-key"
    phase = Phase.PREPARE
    after = "exempt-old"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the key pair, what the new host knows of the old one, and the restricted entry there."""
        keys = access.KeyPaths.of(context.plan.name, context.facts("new").home)
        if context.new.read_file(keys.public) is None:
            yield Change(
                f"make the key of this migration on the new host ({keys.private})",
                Shell("new", _make(keys.private, context.plan.name)),
                removal(context, "new"),
            )
        yield from _known_hosts(context, keys)
        public = context.new.read_file(keys.public) or _PENDING
        yield from _entry(context, public.strip())

    def verify(self, context: Context) -> None:
        """Knock at the old host with the key. Raises VerifyFailed where the door does not open, or opens too far."""
        knocked = context.new.inspect(
            access.knock(context.plan, context.facts("new").home, context.door.endpoint())
        )
        if access.HELLO.format(name=context.plan.name) not in knocked.stdout:
            raise VerifyFailed(
                "the new host cannot read from the old one with its key",
                host="new",
                expected=f"ssh with {access.KeyPaths.of(context.plan.name, context.facts('new').home).private} answers",
                seen=(knocked.stderr or knocked.stdout).strip()[-500:] or "nothing",
                advice=f"see that the old host's sshd reads {door_of(context).authorized_keys} (AuthorizedKeysFile, "
                "AllowUsers, PermitRootLogin; its log says why not), and that the new host reaches its port",
            )


def installed(context: Context) -> tuple[HostName, ...]:
    """Return the hosts that hold a part of this migration's key."""
    keys = access.KeyPaths.of(context.plan.name, context.facts("new").home)
    found: list[HostName] = []
    door = door_of(context)
    texts = context.old.read_files((*door.files, door.wrapper))
    authorized = [texts[path] or "" for path in door.files]
    entered = any(access.without_entry(text, context.plan.name) != text for text in authorized)
    if entered or texts[door.wrapper] is not None:
        found.append("old")
    if any(
        text is not None
        for text in context.new.read_files((keys.private, keys.public, keys.known_hosts)).values()
    ):
        found.append("new")
    return tuple(found)


def removal(context: Context, host: HostName) -> Shell:
    """Return the script that removes this migration's key from a host, and leaves every other line as it is."""
    name = context.plan.name
    if host == "new":
        keys = access.KeyPaths.of(name, context.facts("new").home)
        return Shell("new", f"rm -f {shlex.join((keys.private, keys.public, keys.known_hosts))}\n")
    return Shell("old", access.remove_entry_script(door_of(context), name))


def _make(path: str, name: str) -> str:
    quoted = shlex.quote(path)
    return (
        f"set -e\nmkdir -p -m 700 {shlex.quote(path.rpartition('/')[0])}\n"
        f"[ -s {quoted}.pub ] || {{ rm -f {quoted}; "
        f"ssh-keygen -q -t ed25519 -N '' -C {shlex.quote('migrate:' + name)} -f {quoted}; }}\n"
    )


def _known_hosts(context: Context, keys: access.KeyPaths) -> Iterator[Change]:
    address, port, _ = context.door.endpoint()
    wanted = context.door.host_key_line(address, port).encode("ascii")
    present = context.new.read_file(keys.known_hosts)
    before = None if present is None else present.encode("utf-8", "surrogateescape")
    if before != wanted:
        yield Change(
            "tell the new host the old one's host key, as it was verified here",
            Upload("new", (FileEdit(keys.known_hosts, before, wanted, mode="0600"),)),
            removal(context, "new"),
        )


def _entry(context: Context, public: str) -> Iterator[Change]:
    plan, facts, door = context.plan, context.facts("old"), door_of(context)
    sources = tuple(dict.fromkeys(filter(None, (context.facts("new").source, *plan.new.addresses))))
    try:
        line = access.authorized_line(plan.name, public, sources, door.wrapper, openssh=facts.openssh)
    except ValueError as error:
        raise MigrateError(
            f"the key of this migration cannot be let in: {error}",
            host="new",
            seen=f"{access.KeyPaths.of(plan.name, context.facts('new').home).public}: {public[:200]}",
            advice="remove that key by `migrate check PLAN --remove-keys --yes`, and run the same command again",
        ) from error
    wrapper = wrapper_script(plan.name, plan.sync, sudo=plan.old.sudo)
    texts = context.old.read_files((door.authorized_keys, door.wrapper))
    present = texts[door.authorized_keys]
    wanted = access.with_entry(present or "", plan.name, line)
    if (present, texts[door.wrapper]) == (wanted, wrapper):
        return
    owner = (
        f"{facts.login}:{facts.accounts[facts.login].gid}" if facts.login in facts.accounts else "root:root"
    )
    yield from _folder(context, door.wrapper.rpartition("/")[0], owner)
    yield Change(
        f"let that key read {', '.join(tree.source for tree in plan.sync)} on the old host from "
        f"{' and '.join(sources)}, and nothing else",
        Upload(
            "old",
            (
                FileEdit(
                    door.wrapper, _bytes(texts[door.wrapper]), wrapper.encode(), mode="0700", owner=owner
                ),
                FileEdit(door.authorized_keys, _bytes(present), _bytes(wanted), mode="0600", owner=owner),
            ),
        ),
        removal(context, "old"),
    )


def _folder(context: Context, path: str, owner: str) -> Iterator[Change]:
    quoted = shlex.quote(path)
    # Who logs in by a certificate, or by keys that are kept elsewhere, need not have one.
    if context.old.inspect(f"[ -d {quoted} ] || echo missing\n").stdout:
        yield Change(
            f"make {path} on the old host",
            Shell("old", f"mkdir -p -m 0700 {quoted} && chown {shlex.quote(owner)} {quoted}\n"),
            Shell("old", f"rmdir {quoted} 2>/dev/null || :\n"),
        )


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
