"""Senders of a whole domain under their public addresses: genericstable, in header and envelope.

cf/README ("genericstable", "generics_entire_domain", "masquerade_envelope", "GENERICS_DOMAIN").
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from migrator.change import Change, HostName, Upload
from migrator.errors import UsageError, VerifyFailed
from migrator.hosts.facts import HostFacts
from migrator.sendmail import genericstable, mc, routes, trying
from migrator.sendmail.text_error import TextError
from migrator.steps.base import Context
from migrator.steps.common import ask, configure
from migrator.steps.common.configure import MC, Sources, read
from migrator.toolbox.base import Tool

TABLE = "/etc/mail/genericstable"
FIRST, LAST = 1000, 60000
"""The user ids of people, where the table is made of a host's accounts."""

_SHOWN = 5
_TRIED = 100


class Rewrite(Tool):
    """Let mail of local users leave with their public addresses.

    Given the host, the domains whose senders are looked up (the first is the one of accounts), and the rows of the
    table, login and address (None: one for each account of a person).
    """

    name = "rewrite"

    def __init__(self, host: HostName, domains: Sequence[str], rows: Mapping[str, str] | None) -> None:
        super().__init__(host)
        try:
            self._domains = tuple(dict.fromkeys(map(routes.checked_domain, domains)))
        except TextError as error:
            raise UsageError(str(error)) from None
        if not self._domains:
            raise UsageError("No domain", advice="name at least one: --domain example.test")
        self._given = rows

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return what `sendmail -bt` makes of some senders, in the header and in the envelope."""
        rows = dict(list(self._rows(context).items())[:_SHOWN])
        return {
            sender: f"header {header or 'fails'}, envelope {envelope or 'fails'}"
            for sender, (header, envelope) in self._tried(context, tuple(rows)).items()
        }

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the change of sendmail.mc and of the table, where they differ."""
        sources = read(context, self.host)
        path = sources.map_path("generics", TABLE)
        known = context.reader(self.host).read_file(path)
        sources = Sources({**sources.texts, path: known}, sources.cf)
        rows = self._rows(context)
        wanted = {
            MC: self._edited(context, sources),
            path: genericstable.with_rows(known or "", rows),
        }
        change = configure.change(
            *(context, self.host, "rewrite the senders of local users", sources, wanted),
            test=self._proof(context, rows),
            test_shown="sendmail -bt: /tryflags HS, /try esmtp LOGIN",
        )
        if change:
            mapped = context.reader(self.host).read("test", "-e", f"{path}.db").status == 0
            yield change if mapped else _without_map(change, path)

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where a sender of the table leaves under another address, in header or envelope."""
        rows = dict(list(self._rows(context).items())[:_TRIED])
        found = self._tried(context, tuple(rows))
        for (sender, seen), wanted in zip(found.items(), rows.values(), strict=True):
            if {address.lower() for address in seen} != {wanted.lower()}:
                raise VerifyFailed(
                    f"mail of {sender} does not leave as {wanted}",
                    host=self.host,
                    expected=f"{wanted} in header and envelope",
                    seen=f"header {seen[0] or 'fails'}, envelope {seen[1] or 'fails'}",
                    advice="see what else rewrites senders: MASQUERADE_AS, EXPOSED_USER, userdb",
                )

    def _rows(self, context: Context) -> Mapping[str, str]:
        rows = self._given or genericstable.rows_of_logins(
            _people(context.facts(self.host)), self._domains[0]
        )
        if not rows:
            raise UsageError(
                "The table would have no rows", host=self.host, advice="give one with --table FILE"
            )
        return rows

    def _edited(self, context: Context, sources: Sources) -> str:
        access = sources.cf.map("access")
        text = sources.text(MC)
        text = (
            text
            if mc.has_feature(text, "genericstable")
            else mc.ensure_feature(text, "genericstable", f"{access.type if access else 'hash'} -o {TABLE}")
        )
        text = mc.ensure_feature(text, "generics_entire_domain")
        text = mc.ensure_feature(text, "masquerade_envelope")
        own = ask.own_name(context.reader(self.host))
        # A program on the host submits as LOGIN@ITS-OWN-NAME, which is to be looked up as well.
        covered = any(own == domain or own.endswith(f".{domain}") for domain in self._domains)
        for domain in (*self._domains, *(() if covered or not own else (own,))):
            text = mc.ensure_member(text, "GENERICS_DOMAIN", domain)
        return text

    def _tried(self, context: Context, logins: Sequence[str]) -> dict[str, tuple[str, str]]:
        own = ask.own_name(context.reader(self.host))
        senders = [f"{login}@{own}" if own else login for login in logins]
        output = context.reader(self.host).read("sendmail", "-bt", stdin=trying.questions(senders))
        try:
            found = trying.answers(output.stdout)
            return {sender: found[sender] for sender in senders}
        except (TextError, KeyError) as error:
            raise VerifyFailed(
                "Sendmail does not say how it rewrites a sender",
                host=self.host,
                expected="answers to /try in `sendmail -bt`",
                seen=f"{error}: {(output.stderr or output.stdout).strip()[-300:]}",
                advice="run `sendmail -bt` there by hand, and see whether its mailer esmtp is defined",
            ) from error

    def _proof(self, context: Context, rows: Mapping[str, str]) -> str:
        """Return the script that tries the first row in header and envelope, before the daemon loads anything."""
        login, address = next(iter(rows.items()))
        questions = shlex.quote(trying.questions([login]))
        wanted = shlex.quote(f"addr = {address}")
        return (
            f"seen=$(printf '%s' {questions} | sendmail -bt 2>&1 | grep '^Rcode')\n"
            f'if [ "$(printf "%s\\n" "$seen" | grep -c -i -F -- {wanted})" != 2 ]; then\n'
            '    printf "sendmail -bt says: %s\\n" "$seen" >&2\n    exit 1\nfi\n'
        )


def _people(facts: HostFacts) -> list[str]:
    return sorted(one.name for one in facts.accounts.values() if FIRST <= one.uid < LAST)


def _without_map(change: Change, path: str) -> Change:
    """Return a change whose undo removes the database that the table did not have before."""
    if not isinstance(change.undo, Upload):
        raise TypeError("the undo of a configuration is an upload")
    removal = f"rm -f {shlex.quote(path)}.db\n"
    return replace(change, undo=replace(change.undo, then=removal + change.undo.then))
