"""Nothing that opens the old host stays behind."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, HostName, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.at_once import at_once
from migrator.steps.common.passes import forget
from migrator.steps.common.port import state_folder
from migrator.steps.install_key import installed, removal

_HOSTS: tuple[HostName, ...] = ("old", "new")


class RemoveKey(Step):
    """Remove the run's key, and what it kept for its passes, from both hosts."""

    name = "remove-key"
    phase = Phase.FINISH
    after = "restore-ttl"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield for each host the removal of its part of the key, and of the folder of the run's state."""
        keyed, kept, removals_ = at_once(
            lambda: installed(context),
            lambda: _kept(context),
            lambda: {host: removal(context, host).script for host in _HOSTS},
        )
        for host in _HOSTS:
            parts, scripts = [], []
            if host in keyed:
                parts.append("the run's key")
                scripts.append(removals_[host])
            if host in kept:
                parts.append(state_folder(context))
                scripts.append(forget(context, host).script)
            if parts:
                summary = f"remove {' and '.join(parts)} from the {host} host"
                yield Change(summary, Shell(host, "".join(scripts)), Undo.NOT_NEEDED)

    def verify(self, context: Context) -> None:
        """Look at both hosts anew. Raises VerifyFailed where a part is left."""
        if left := installed(context):
            raise VerifyFailed(
                "the run's key is still there",
                host=left[0],
                expected="no line of this migration in authorized_keys, and no key file",
                seen=f"a part of it on {' and '.join(left)}",
                advice="remove the line that ends in migrate:NAME from authorized_keys by hand",
            )


def removals(context: Context) -> Iterator[Change]:
    """Yield the removal of the key from each host that has a part of it, and from nowhere else."""
    for host in installed(context):
        yield Change(f"remove the run's key from the {host} host", removal(context, host), Undo.NOT_NEEDED)


def _kept(context: Context) -> tuple[HostName, ...]:
    look = f"[ ! -e {state_folder(context)} ] || echo kept\n"
    seen = at_once(lambda: context.old.inspect(look), lambda: context.new.inspect(look))
    return tuple(host for host, kept in zip(_HOSTS, seen, strict=True) if kept.stdout)
