"""The rule about keys that a migration left: on the old host a line that lets one in, on the new host its files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from migrator.steps.base import Context
from migrator.steps.common.door import door
from migrator.steps.rules.finding import Both, Finding, Look, some

_NAME = "[a-z0-9-]{1,40}"
_LINE = re.compile(rf"[ \t]migrate:({_NAME})[ \t\r]*$", re.MULTILINE | re.ASCII)
_FILE = re.compile(rf"migrate-({_NAME})(?:\.push)?(?:\.pub|\.known_hosts|\.sh|\.ciphers)?", re.ASCII)


def left_keys(both: Both) -> Iterator[Finding]:
    """Warn of keys that an earlier migration left on a host; that of a run under way is none of them."""
    context = both.context
    own = {context.plan.name} if context.memory else set()
    for look, names in ((both.old, _entered(context) | _files(both.old)), (both.new, _files(both.new))):
        left = sorted(names - own)
        if left:
            text = f"keys of earlier runs may still read mail: {some(left)}"
            yield look.warned("left-keys", text, _advice(context, left))
        else:
            yield look.passed("left-keys", "no key of an earlier run")


def _entered(context: Context) -> set[str]:
    texts = context.old.read_files(door(context).files).values()
    return {name for text in texts for name in _LINE.findall(text or "")}


def _files(look: Look) -> set[str]:
    folder = shlex.quote(f"{look.facts.home.rstrip('/')}/.ssh")
    listed = look.reader.inspect(
        f"[ ! -d {folder} ] || find {folder} -maxdepth 1 -type f -name 'migrate-*' -printf '%f\\n'\n"
    )
    return {found[1] for name in listed.stdout.split("\n") if (found := _FILE.fullmatch(name))}


def _advice(context: Context, left: list[str]) -> str:
    removal = shlex.join(["migrate", "check", str(context.plan.path), "--remove-keys"])
    if left == [context.plan.name]:
        return f"`{removal}` removes it"
    return (
        "where no run of that plan is under way: `migrate check PLAN --remove-keys` with the plan of that name removes "
        f"it; or remove the line that ends in migrate:NAME from {door(context).authorized_keys} on the old host, and "
        "~/.ssh/migrate-NAME* on both"
    )
