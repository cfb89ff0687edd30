"""The new host gets a key of its own to the old one, good for nothing but reading the planned trees."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from migrator import host_text
from migrator.change import Change, FileEdit, HostName, Shell, Upload
from migrator.errors import MigrateError, VerifyFailed
from migrator.hosts.sshd import CONNECTION_SCRIPT, parse_connection
from migrator.mailstore import access, arrivals, forest, rsync
from migrator.mailstore.excludes import Untranslatable, prune
from migrator.mailstore.look import old_functions, old_head
from migrator.mailstore.restraint import Restraint
from migrator.mailstore.way import FAST_CIPHERS, LOOPBACK, Way
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import Plan, SyncTree
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import push_key
from migrator.steps.common.at_once import at_once
from migrator.steps.common.door import door as door_of
from migrator.steps.common.key_files import authorized, key_owner, key_pair, known_host
from migrator.steps.common.sparing import spared_of

_SHOWN = 8

_PENDING = "ssh-ed25519 (the public half of the key made above)"


class InstallKey(Step):
    """Make a key on the new host, and let it read the planned trees of the old one by rsync, and nothing else."""

    name = "install-key"
    phase = Phase.PREPARE
    after = "exempt-old"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the key pair, what the new host knows of the old one, and the restricted entry there."""
        keys = _keys(context)
        summary = f"make the key of this migration on the new host ({keys.private})"
        yield from key_pair(context, "new", keys.private, summary, removal(context, "new"))
        yield from known_host(context, "new", keys.known_hosts, removal(context, "new"))
        yield from _ciphers(context, keys)
        if push_key.needed(context):
            yield from push_key.changes(context)
        public = context.new.read_file(keys.public) or _PENDING
        yield from _entry(context, host_text.stripped(public))

    def verify(self, context: Context) -> None:
        """Knock at the old host with the key. Raises VerifyFailed where the door does not open, or opens too far."""
        with context.door.passage() as loopback:
            way = Way.to(context.plan.name, context.door.endpoint(), loopback=loopback)
            knocked = context.new.inspect(way.knock_script())
        if access.HELLO.format(name=context.plan.name) not in knocked.stdout:
            raise VerifyFailed(
                "the new host cannot read from the old one with its key",
                host="new",
                expected=f"ssh with {_keys(context).private} answers",
                seen=(knocked.stderr or knocked.stdout).strip()[-500:] or "nothing",
                advice=f"see that the old host's sshd reads {door_of(context).authorized_keys} (AuthorizedKeysFile, "
                "AllowUsers, PermitRootLogin; its log says why not), and that the new host reaches its port"
                + (", or choose another sync.via" if not loopback else ""),
            )


def installed(context: Context) -> tuple[HostName, ...]:
    """Return the hosts that hold a part of this migration's key."""
    hosts: tuple[HostName, ...] = ("old", "new")
    held = at_once(lambda: _old_holds(context), lambda: _new_holds(context))
    return tuple(host for host, holds in zip(hosts, held, strict=True) if holds)


def _old_holds(context: Context) -> bool:
    entered = authorized(context, "old", door_of(context))
    return entered or (push_key.needed(context) and push_key.installed(context, "old"))


def _new_holds(context: Context) -> bool:
    files = context.new.read_files(_keys(context).files).values()
    kept = any(text is not None for text in files)
    return kept or (push_key.needed(context) and push_key.installed(context, "new"))


def removal(context: Context, host: HostName) -> Shell:
    """Return the script that removes this migration's key from a host, and leaves every other line as it is."""
    name = context.plan.name
    pushed = push_key.removal_script(context, host) if push_key.needed(context) else ""
    if host == "old":
        return Shell("old", access.remove_entry_script(door_of(context), name) + pushed)
    close = Way.to(name, context.door.endpoint()).close_script()
    return Shell("new", f"{close}rm -f {shlex.join(_keys(context).files)}\n{pushed}")


def _keys(context: Context) -> access.KeyPaths:
    return access.KeyPaths.of(context.plan.name, context.facts("new").home)


def _ciphers(context: Context, keys: access.KeyPaths) -> Iterator[Change]:
    fast = context.facts("old").aes and context.facts("new").aes
    if fast and context.new.read_file(keys.ciphers) is None:
        yield Change(
            "note on the new host that both processors are quick at AES-GCM",
            Upload("new", (FileEdit(keys.ciphers, None, f"{FAST_CIPHERS}\n".encode(), mode="0600"),)),
            removal(context, "new"),
        )


def _entry(context: Context, public: str) -> Iterator[Change]:
    plan, facts, door = context.plan, context.facts("old"), door_of(context)
    sources = _sources(context)
    try:
        line = access.authorized_line(plan.name, public, sources, door.wrapper, openssh=facts.openssh)
    except ValueError as error:
        raise MigrateError(
            f"the key of this migration cannot be let in: {error}",
            host="new",
            seen=f"{_keys(context).public}: {public[:200]}",
            advice="remove that key by `migrate check PLAN --remove-keys --yes`, and run the same command again",
        ) from error
    copying, spared = plan.copying, spared_of(context)
    many = forest.together(dict(enumerate(plan.sync)), plan.old.mail_spool, spared=spared.of)
    wrapper = wrapper_script(
        plan.name,
        plan.sync,
        sudo=plan.old.sudo,
        looks=[
            "" if index in many else _look(plan, index, tree, spared.of(index))
            for index, tree in enumerate(plan.sync)
        ],
        shared=old_functions(),
        together=forest.old_text(
            plan.name, dict(enumerate(plan.sync)), plan.old.mail_spool, spared=spared.of
        ),
        restraint=Restraint(copying.nice, copying.ionice, copying.max_load, own_limits=not copying.max_load),
    )
    texts = context.old.read_files((door.authorized_keys, door.wrapper))
    present = texts[door.authorized_keys]
    wanted = access.with_entry(present or "", plan.name, line)
    if (present, texts[door.wrapper]) == (wanted, wrapper):
        return
    owner = key_owner(facts)
    yield from _folder(context, door.wrapper.rpartition("/")[0], owner)
    before, script = _bytes(texts[door.wrapper]), wrapper.encode("utf-8", "surrogateescape")
    yield Change(
        f"let that key read {_named(plan.sync)} on the old host from "
        f"{' and '.join(sources)}, and nothing else",
        Upload(
            "old",
            (
                FileEdit(door.wrapper, before, script, mode="0700", owner=owner),
                FileEdit(door.authorized_keys, _bytes(present), _bytes(wanted), mode="0600", owner=owner),
            ),
        ),
        removal(context, "old"),
    )


def _sources(context: Context) -> tuple[str, ...]:
    """Return the addresses that the key comes from as the old host sees them."""
    if context.plan.copying.via == "pull":
        found = (context.facts("new").source, *context.plan.new.addresses)
        return tuple(dict.fromkeys(filter(None, found)))
    ends = parse_connection(context.old.inspect(CONNECTION_SCRIPT).stdout)
    # Its own sshd connects to itself; the operator's machine does where it may not.
    own = (ends.server, *([ends.client] if context.plan.copying.via == "operator" else [])) if ends else ()
    return tuple(dict.fromkeys((LOOPBACK, "::1", *own)))


def _look(plan: Plan, index: int, tree: SyncTree, spared: Sequence[str]) -> str:
    """Return the text that looks at a tree; "" where it cannot leave out just what rsync leaves out."""
    try:
        left_out = prune(rsync.excluded(tree, plan.old.mail_spool, spared))
    except Untranslatable:
        return ""
    return old_head(f"{arrivals.folder(plan.name)}/look-{index}", left_out)


def _folder(context: Context, path: str, owner: str) -> Iterator[Change]:
    quoted = shlex.quote(path)
    # Who logs in by a certificate, or by keys that are kept elsewhere, need not have one.
    if context.old.inspect(f"[ -d {quoted} ] || echo missing\n").stdout:
        yield Change(
            f"make {path} on the old host",
            Shell("old", f"mkdir -p -m 0700 {quoted} && chown {shlex.quote(owner)} {quoted}\n"),
            Shell("old", f"rmdir {quoted} 2>/dev/null || :\n"),
        )


def _named(trees: Sequence[SyncTree]) -> str:
    first = ", ".join(tree.source for tree in trees[:_SHOWN])
    return f"{first} and {len(trees) - _SHOWN} more trees" if len(trees) > _SHOWN else first


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
