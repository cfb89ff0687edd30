"""The steps of a migration, one file each, found by looking into this folder and ordered by their `after`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from inspect import isabstract

from migrator.steps.base import Step


@cache
def discover() -> tuple[type[Step], ...]:
    """Return every step class of this package, ordered by name."""
    found: set[type[Step]] = set()
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            continue  # what steps share, and the way home, which is a chain of its own
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Step) and not isabstract(value):
                found.add(value)
    return tuple(sorted(found, key=lambda step: step.name))


def ordered(strategy: str) -> tuple[Step, ...]:
    """Given a cut-over strategy, return its steps in their order, from the one that is after nothing.

    Raises ValueError where the steps do not make one chain: two after the same one, or one after none of them.
    """
    followers: dict[str, type[Step]] = {}
    for step in discover():
        after = predecessor(step, strategy)
        if after is None:
            continue
        if after in followers:
            raise ValueError(f"{step.name} and {followers[after].name} both come after {after!r}")
        followers[after] = step
    chain: list[Step] = []
    name = ""
    while name in followers:
        step = followers.pop(name)
        chain.append(step())
        name = step.name
    if followers:
        raise ValueError(f"no step leads to {', '.join(step.name for step in followers.values())}")
    return tuple(chain)


def predecessor(step: type[Step], strategy: str) -> str | None:
    """Return the name of the step before this one under a strategy, None where the step is no part of it."""
    return step.after if isinstance(step.after, str) else step.after.get(strategy)
