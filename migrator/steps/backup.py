"""What will be edited is kept on the host itself first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change, HostName, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.mailstore.spared import BACKUPS
from migrator.steps.base import Context, Phase, Step

FILES = (
    *("/etc/mail/sendmail.mc", "/etc/mail/sendmail.cf", "/etc/mail/submit.mc", "/etc/mail/submit.cf"),
    *("/etc/mail/access", "/etc/mail/access.db", "/etc/mail/mailertable", "/etc/mail/mailertable.db"),
    *("/etc/mail/local-host-names", "/etc/mail/relay-domains", "/etc/mail/virtusertable"),
    *("/etc/mail/virtusertable.db", "/etc/mail/databases", "/etc/mail/Makefile", "/etc/mail/sendmail.conf"),
    *("/etc/aliases", "/etc/aliases.db", "/etc/mail/aliases", "/etc/mail/aliases.db"),
)
ROOT = BACKUPS


class Backup(Step):
    """Keep sendmail.mc, sendmail.cf, the maps and every file that will be edited in a dated folder on each host."""

    name = "backup"
    phase = Phase.PREPARE
    after = "lower-ttl"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one copy a host, unless this run has made it."""
        stamp = context.now().strftime("%Y%m%dT%H%M%SZ")
        for host in _HOSTS:
            if f"backup.{host}" in context.memory:
                continue
            folder = f"{ROOT}/{context.plan.name}/{stamp}"
            yield Change(
                f"back up Sendmail's configuration on the {host} host to {folder}",
                Shell(host, _copy(folder, _files(context, host)), shown=f"cp -p of {', '.join(FILES)}"),
                Undo.NOT_NEEDED,
                {f"backup.{host}": folder},
            )

    def verify(self, context: Context) -> None:
        """Compare each copy with its original. Raises VerifyFailed naming the first that differs."""
        for host in _HOSTS:
            folder = context.memory[f"backup.{host}"]
            compared = context.reader(host).inspect(_compare(folder, _files(context, host)))
            if compared.status != 0:
                raise VerifyFailed(
                    "a backup is not equal to its original",
                    host=host,
                    expected=f"every file of the list stands in {folder}",
                    seen=(compared.stdout + compared.stderr).strip(),
                    advice=f"look at {folder} and at the free space there",
                )


_HOSTS: tuple[HostName, ...] = ("old", "new")


def _files(context: Context, host: str) -> tuple[str, ...]:
    facts = context.facts(host)
    return (*FILES, f"{facts.home}/.ssh/authorized_keys")


def _quoted(files: tuple[str, ...]) -> str:
    return " ".join(shlex.quote(path) for path in files)


def _copy(folder: str, files: tuple[str, ...]) -> str:
    return f"""set -e
umask 077
mkdir -p {shlex.quote(folder)}
for file in {_quoted(files)}; do
    [ -e "$file" ] || continue
    mkdir -p {shlex.quote(folder)}"$(dirname "$file")"
    cp -pL "$file" {shlex.quote(folder)}"$file"
done
"""


def _compare(folder: str, files: tuple[str, ...]) -> str:
    return f"""for file in {_quoted(files)}; do
    [ -e "$file" ] || continue
    cmp -s "$file" {shlex.quote(folder)}"$file" || {{ printf '%s differs\\n' "$file"; exit 1; }}
done
"""
