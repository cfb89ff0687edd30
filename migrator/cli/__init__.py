"""The `migrate` program: Typer commands, wired to the engine, ended with the exit codes of the contract."""

from migrator.cli.program import main

__all__ = ["main"]
