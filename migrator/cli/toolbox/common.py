"""The options that every tool takes, and what they say together: which host, and how it is to be done."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from migrator.cli import options
from migrator.cli.outcome import Call, outcome

_HOST = typer.Option(metavar="SSH", help="user@host[:port] of the mail host, or an alias of ssh_config.")
_ON = typer.Option(metavar="old|new", help="Which host of --plan.", show_default=False)
_PLAN = typer.Option(
    metavar="PLAN", help="A plan that names the host, instead of --host.", show_default=False
)
_KEY = typer.Option(
    metavar="FILE", help="The key for --host.  [default: as OpenSSH does]", show_default=False
)
_KNOWN = typer.Option(
    metavar="FILE", help="Known host keys.  [default: ~/.ssh/known_hosts]", show_default=False
)
_SUDO = typer.Option("--sudo", help="`sudo -n` for what needs root.")
_DRY = typer.Option("--dry-run", help="Show what would be done; change nothing.")
_YES = typer.Option("--yes", help="Do it without asking.")


@dataclass(frozen=True, slots=True)
class Common:
    """What was asked for by the options that every tool takes, each described once, by its annotation."""

    host: Annotated[str, _HOST] = ""
    plan: Annotated[Path | None, _PLAN] = None
    on: Annotated[str, _ON] = ""
    identity_file: Annotated[Path | None, _KEY] = None
    known_hosts: Annotated[Path | None, _KNOWN] = None
    sudo: Annotated[bool, _SUDO] = False
    dry_run: Annotated[bool, _DRY] = False
    yes: Annotated[bool, _YES] = False
    force: options.Force = None
    json: options.Json = False
    state_dir: options.StateDir = None
    debug: options.Debug = False


@dataclass
class ToolCall(Call):
    """A tool's command as it was typed."""

    def typed(self, command: str = "", *options: str) -> str:
        """Return this command line, with more options; of a secret it holds none."""
        return shlex.join(["migrate", *sys.argv[1:], *options])


def command(
    app: typer.Typer, name: str, *, short_help: str
) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Given an app and a name, return what makes a command of a function.

    The function is given a Common and its own options, and returns the exit code; its annotations have to be
    real objects, not texts. A MigrateError ends the program as everywhere.
    """

    def register(function: Callable[..., int]) -> Callable[..., None]:
        given = inspect.signature(function, eval_str=True)
        own = [one for one in given.parameters.values() if one.name != "common"]
        shared = inspect.signature(Common, eval_str=True).parameters

        def run(**values: Any) -> None:
            common = Common(**{field.name: values.pop(field.name) for field in fields(Common)})
            call = ToolCall(f"{app.info.name} {name}", Path(), common.json, common.debug)
            with outcome(call):
                raise typer.Exit(function(common=common, **values))

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [one.replace(kind=keyword) for one in (*own, *shared.values())]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # what Typer reads
        run.__annotations__ = {}
        run.__doc__ = function.__doc__
        app.command(name, short_help=short_help)(run)
        return run

    return register
