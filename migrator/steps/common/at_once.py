"""Looks that need not wait for each other: on a line with delay, several then take as long as one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, overload

MOST = 4
"""How many looks go on together: ssh and Sendmail limit how many they serve one client at a time."""

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


@overload
def at_once(first: Callable[[], A], second: Callable[[], B], /) -> tuple[A, B]: ...
@overload
def at_once(first: Callable[[], A], second: Callable[[], B], third: Callable[[], C], /) -> tuple[A, B, C]: ...
@overload
def at_once(
    first: Callable[[], A], second: Callable[[], B], third: Callable[[], C], fourth: Callable[[], D], /
) -> tuple[A, B, C, D]: ...
@overload
def at_once(*looks: Callable[[], A]) -> tuple[A, ...]: ...
def at_once(*looks: Callable[[], Any]) -> tuple[Any, ...]:
    """Given looks of which none builds on another, return what each gave, in their order.

    Raises what the first of them raised that failed, when all have ended.
    """
    with ThreadPoolExecutor(min(len(looks), MOST)) as pool:
        return tuple(look.result() for look in [pool.submit(one) for one in looks])
