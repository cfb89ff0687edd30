"""The commands of `migrate`."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

import typer

import migrator
from migrator.cli import options
from migrator.cli.outcome import Call, outcome, unexpected
from migrator.cli.streams import filled
from migrator.cli.toolbox.queue import queue
from migrator.cli.toolbox.sendmail import sendmail
from migrator.errors import UsageError

app = typer.Typer(
    name="migrate",
    help="Move a Sendmail mail server to a new host without losing a message.\n\n"
    "Start with `migrate init PLAN`, look with `migrate check PLAN` and `migrate run --dry-run PLAN`, then "
    "`migrate run PLAN`: it can be stopped at any moment and goes on where it was.\n\n"
    "Exit codes: 0 done, 1 a step failed, 2 the plan or the command line is wrong, 3 refused, 4 another run holds "
    "the lock, 75 waiting, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(sendmail)
app.add_typer(queue)


def main() -> None:
    """Run the program, and end the process with an exit code of the contract."""
    filled()
    try:
        app()
    except Exception as error:  # noqa: BLE001 - no user ever sees a traceback that was not asked for
        sys.exit(unexpected(error, debug="--debug" in sys.argv))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"migrate {migrator.__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command(short_help="Write a commented plan to fill in.")
def init(
    plan: options.PlanPath,
    old: Annotated[
        str, typer.Option(metavar="SSH", help="user@host[:port] of the old host, to look at it.")
    ] = "",
    new: Annotated[
        str, typer.Option(metavar="SSH", help="user@host[:port] of the new host, to look at it.")
    ] = "",
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write a commented plan to fill in; with --old and --new, filled in from what both hosts and DNS say.

    \b
    Examples:
      migrate init example.toml
      migrate init example.toml --old root@198.51.100.10 --new root@198.51.100.20
    """
    from migrator.cli import starting

    with outcome(Call("init", plan, json, debug)):
        filled = starting.write_plan(plan, old=old, new=new)
        _say({"kind": "plan_written", "path": str(plan), "filled": filled}, f"{plan} is written.", json=json)


@app.command(short_help="Look at everything; change nothing.")
def check(
    plan: options.PlanPath,
    sudoers: Annotated[
        bool, typer.Option("--sudoers", help="Print what sudo has to allow on each host, and nothing else.")
    ] = False,
    remove_keys: Annotated[
        bool,
        typer.Option(
            "--remove-keys", help="Remove the key that an abandoned run left on the hosts, and nothing else."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove the key of a migration that was begun and did not end, too.")
    ] = False,
    json: options.Json = False,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> None:
    """Validate the plan and look at hosts, DNS and mail; change nothing.

    Ends with 0 where nothing stands in the way, 3 where a run would be refused.

    \b
    Examples:
      migrate check example.toml
      migrate check --sudoers example.toml       prints a rule for each host with sudo = true
      migrate check --remove-keys example.toml   removes the key that an abandoned run left
    """
    call = Call("check", plan, json, debug)
    with outcome(call):
        raise typer.Exit(_check(call, state_dir, sudoers=sudoers, remove_keys=remove_keys, yes=yes))


@app.command(short_help="Start, or go on where the last run stopped.")
def run(
    plan: options.PlanPath,
    dry_run: options.DryRun = False,
    full: options.Full = False,
    until: options.Until = None,
    wait: options.Wait = False,
    yes: options.Yes = False,
    force: options.Force = None,
    accept_plan_change: options.AcceptPlanChange = False,
    json: options.Json = False,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> None:
    """Start, or go on where the last run stopped.

    \b
    Examples:
      migrate run --dry-run example.toml         shows what would be done
      migrate run --until presync example.toml   copies the bulk of the mail ahead
      migrate run --wait --yes example.toml      goes to the end, unattended
    """
    _drive("run", plan, state_dir, dry_run, full, until, wait, yes, force, accept_plan_change, json, debug)


@app.command(short_help="Go on where the last run stopped.")
def resume(
    plan: options.PlanPath,
    dry_run: options.DryRun = False,
    full: options.Full = False,
    until: options.Until = None,
    wait: options.Wait = False,
    yes: options.Yes = False,
    force: options.Force = None,
    accept_plan_change: options.AcceptPlanChange = False,
    json: options.Json = False,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> None:
    """Go on where the last run stopped; refuse (exit 2) where there is nothing to resume.

    \b
    Example:
      migrate resume example.toml
    """
    _drive("resume", plan, state_dir, dry_run, full, until, wait, yes, force, accept_plan_change, json, debug)


@app.command(short_help="Show where a migration stands.")
def status(
    plan: options.PlanPath,
    json: options.Json = False,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> None:
    """Show the journal as a table: steps, state, when, how long, what it waits for. Contacts no host.

    \b
    Example:
      migrate status example.toml
    """
    from migrator.cli import looking

    with outcome(Call("status", plan, json, debug)):
        looking.status(plan, state_dir, json=json)


@app.command(short_help="Undo what was done, newest first.")
def rollback(
    plan: options.PlanPath,
    dry_run: options.DryRun = False,
    full: options.Full = False,
    wait: options.Wait = False,
    yes: options.YesBack = False,
    force: options.Force = None,
    json: options.Json = False,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> None:
    """Undo what the journal says was done, and bring home mail that the new host took; also after the end.

    Asks once where mail has moved. Refuses before touching anything where that cannot be done. Interrupted, it
    goes on when typed again.

    \b
    Examples:
      migrate rollback --dry-run example.toml
      migrate rollback example.toml
    """
    from migrator.cli import driving

    call = Call("rollback", plan, json, debug)
    wishes = driving.Wishes(dry_run=dry_run, wait=wait, yes=yes, force=frozenset(force or ()), full=full)
    with outcome(call):
        raise typer.Exit(driving.rollback(call, state_dir, wishes))


def _check(call: Call, state_dir: Path | None, *, sudoers: bool, remove_keys: bool, yes: bool) -> int:
    if sudoers and remove_keys:
        raise UsageError("--sudoers and --remove-keys are two commands", advice="give one of them")
    if not (sudoers or remove_keys):
        from migrator.cli import driving

        return driving.check(call, state_dir)
    from migrator.cli import keys

    return keys.sudoers(call, state_dir) if sudoers else keys.remove_keys(call, state_dir, yes=yes)


def _drive(
    command: str,
    plan: Path,
    state_dir: Path | None,
    dry_run: bool,
    full: bool,
    until: str | None,
    wait: bool,
    yes: bool,
    force: list[str] | None,
    accept_plan_change: bool,
    json: bool,
    debug: bool,
) -> None:
    from migrator.cli import driving

    call = Call(command, plan, json, debug)
    wishes = driving.Wishes(dry_run, until, wait, yes, frozenset(force or ()), accept_plan_change, full)
    with outcome(call):
        raise typer.Exit(driving.run(call, state_dir, wishes))


def _say(data: dict[str, object], text: str, *, json: bool) -> None:
    typer.echo(jsonlib.dumps(data) if json else text)
