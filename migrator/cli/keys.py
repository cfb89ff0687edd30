"""`check --remove-keys` and `check --sudoers`: what lets the migration in on the hosts, taken away or printed."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path

import typer

from migrator.cli.finding import expect_files, found
from migrator.cli.outcome import Call
from migrator.cli.signals import Shield
from migrator.errors import Refused, UsageError
from migrator.journal import Lock, read_state
from migrator.plan import load


def remove_keys(call: Call, state_root: Path | None, *, yes: bool) -> int:
    """Take the key of the plan's migration away from both hosts, and return the exit code.

    Raises Locked where a run of the plan is under way, Refused where its journal says that it was begun and did not
    end and nobody said yes, HostError where a host cannot be reached, VerifyFailed where a part is left.
    """
    from migrator.cli.wiring import wired
    from migrator.steps.remove_key import RemoveKey, removals

    plan = found(call.plan, state_root).plan  # of a migration that was begun: its hosts have the key
    expect_files(plan)
    with Lock(plan.state_dir), Shield().listening():
        state = read_state(plan.state_dir)
        if state.begun and not state.complete and not yes:
            raise Refused(
                f"{plan.name} was begun and did not end: without its key it can copy nothing any more",
                host="operator",
                expected="a migration that is done, rolled back, or given up",
                advice=f"end it: `{call.typed('run')}` or `{call.typed('rollback')}`, which both remove the key; "
                f"to give it up: `{call.typed('check', '--remove-keys', '--yes')}`",
            )
        with wired(plan, frozenset(), lambda _event: None) as tools:
            executor, removed = tools.live(), []
            for change in removals(tools.context):
                executor.execute(change.do)
                removed.append(change.do.host)
            RemoveKey().verify(tools.context)
    where = " and ".join(f"the {host} host" for host in removed)
    text = (
        f"the key of {plan.name} is removed from {where}" if removed else f"no host has a key of {plan.name}"
    )
    typer.echo(
        jsonlib.dumps({"kind": "keys_removed", "name": plan.name, "hosts": removed}) if call.json else text
    )
    return 0


def sudoers(call: Call, state_root: Path | None) -> int:
    """Print what sudo has to allow on each host of the plan; no host is contacted. Return the exit code.

    Raises UsageError for a user that cannot stand in such a file.
    """
    from migrator.hosts.ssh import SshHost
    from migrator.hosts.sudoers import fragment

    plan = load(call.plan, state_root=state_root)
    texts: dict[str, str] = {}
    for name, host in (("old", plan.old), ("new", plan.new)):
        place, _, user = SshHost(name, host, plan.name).endpoint()
        where = f"the {name} host, {place}"
        if not host.sudo:
            texts[name] = (
                f"# For {where}: {user} logs in, and the plan says sudo = false: no rule is needed.\n"
            )
            continue
        try:
            texts[name] = fragment(user, migration=plan.name, place=where)
        except ValueError as error:
            raise UsageError(
                f"no rule for {where}: {error}", host=name, advice="log in as another user, or as root"
            ) from None
    typer.echo(
        jsonlib.dumps({"kind": "sudoers", **texts}) if call.json else "\n".join(texts.values()), nl=call.json
    )
    return 0
