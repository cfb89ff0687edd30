r"""A user's mail sent on to other addresses by ~USER/.forward, in a way that Sendmail really follows.

A .forward that others could write to is ignored without a word (sendmail/SECURITY, "File permissions"), and one
that leads back to its user bounces (sendmail/recipient.c, "aliasing/forwarding loop broken"): both are refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from migrator.change import Change, HostName, Shell
from migrator.errors import Refused, VerifyFailed
from migrator.hosts import as_user
from migrator.hosts.facts import Account
from migrator.sendmail import aliases, forward, safety, verification
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.safety import Facts
from migrator.steps.base import Context
from migrator.steps.common import ask
from migrator.toolbox.base import Tool
from migrator.toolbox.difference import difference
from migrator.toolbox.following import follower

NAME = ".forward"
MODE = 0o644


@dataclass(frozen=True, slots=True)
class _Look:
    """The user's account and file, its text (None: no file), who may write where, and what leads where."""

    account: Account
    path: str
    content: str | None
    facts: Mapping[str, Facts]
    domains: frozenset[str]
    aliases: Mapping[str, tuple[str, ...]]


class Forward(Tool):
    r"""Send a copy of a user's mail to each of several addresses.

    Given the host, the account, the addresses, and whether the user keeps a copy (`\user`).
    """

    name = "forward"

    def __init__(self, host: HostName, user: str, to: tuple[str, ...], *, keep: bool = False) -> None:
        super().__init__(host)
        self._user = forward.checked_user(user)
        self._to = to
        self._wanted = forward.text(user, to, keep=keep)
        self._keep = keep

    def ready(self, context: Context) -> None:
        """Raise Refused where Sendmail would not read the file, or where it would lead back to its user."""
        look = self._look(context)
        self._expect_read(context, look)
        self._expect_trusted(context, look)
        if way := self._circle(context, look):
            raise Refused(
                "the mail would go round in a circle",
                host=self.host,
                expected="a way that ends",
                seen=" -> ".join(way),
                advice=f"leave {way[-1]} out; `--keep` is how {self._user} keeps a copy",
            )

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return what the file holds, and what Sendmail says that it would do with mail for the user."""
        look = self._look(context)
        mode = look.facts.get(look.path)
        held = "none" if look.content is None else ", ".join(forward.targets(look.content)) or "nothing"
        whose = f" (mode {mode.mode & 0o7777:o}, user number {mode.owner})" if mode else ""
        said = self._verified(context)
        return {
            look.path: f"{held}{whose}",
            f"sendmail -bv {self._user}": "; ".join(_words(one) for one in verification.parse(said)) or said,
        }

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the file with its owner and mode, proven by `sendmail -bv`; nothing where both are so."""
        look = self._look(context)
        present = look.facts.get(look.path)
        if look.content == self._wanted and present and self._as_wanted(look.account, present):
            return
        before = None if look.content is None else look.content.encode("utf-8", "surrogateescape")
        after = self._wanted.encode()
        group = present.group if present else look.account.gid
        mode = present.mode & 0o7777 if present else MODE
        there = as_user.write(look.account, NAME, before, after, mode=MODE, group=look.account.gid)
        back = as_user.write(look.account, NAME, after, before, mode=mode, group=group)
        yield Change(
            f"send mail for {self._user} to {', '.join(forward.targets(self._wanted))} on the {self.host} host",
            Shell(
                self.host,
                f"set -e\n{there}if (\n{self._proof(look)}); then exit 0; fi\n{back}exit 1\n",
                shown=f"{difference(look.path, look.content, self._wanted)}\nas the user {self._user}, "
                f"mode {MODE:04o}; then, and where it fails the file is put back:\nsendmail -bv {self._user}",
            ),
            Shell(
                self.host,
                f"set -e\n{back}",
                shown=f"{difference(look.path, self._wanted, look.content)}\nas the user {self._user}, "
                f"mode {mode:04o}",
            ),
        )

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where `sendmail -bv` does not lead to every address that is elsewhere."""
        look = self._look(context)
        said = self._verified(context)
        missing = [one for one in self._elsewhere(look) if not _leads_to(said, one)]
        if missing or look.content != self._wanted:
            raise VerifyFailed(
                f"mail for {self._user} would not go where its .forward says",
                host=self.host,
                expected=f"deliverable: {', '.join(missing) or self._wanted}",
                seen=said,
                advice="run `sendmail -d27.9 -bv` for this user there: it says why a .forward is passed over",
            )

    def _look(self, context: Context) -> _Look:
        facts, reader = context.facts(self.host), context.reader(self.host)
        table: dict[str, tuple[str, ...]] = {}
        for text in reader.read_files(aliases.files(parse_cf(facts.cf))).values():
            table = {**aliases.parse(text or ""), **table}
        if leads := table.get(self._user.lower()):
            raise Refused(
                f"{self._user} is an alias on the {self.host} host, so its .forward is never read",
                host=self.host,
                expected=f"no line for {self._user} in the aliases",
                seen=f"{self._user}: {', '.join(leads)}",
                advice="change that line instead, or remove it",
            )
        account = facts.accounts.get(self._user)
        if account is None or not account.home.startswith("/") or account.home == "/":
            raise Refused(
                f"{self._user} has no account with a home folder on the {self.host} host",
                host=self.host,
                expected="a line of the password database",
                seen=account.home if account else "none",
                advice="an address without an account is forwarded by an alias or a virtusertable entry",
            )
        path = f"{account.home.rstrip('/')}/{NAME}"
        listed = safety.parse(reader.inspect(shlex.join(("sh", "-c", safety.READER, "sh", path))).stdout)
        return _Look(
            account,
            path,
            # Reading a pipe that its user put there would wait for ever.
            reader.read_file(path) if path in listed and listed[path].is_file else None,
            listed,
            ask.class_members(reader, "w"),
            table,
        )

    def _expect_read(self, context: Context, look: _Look) -> None:
        facts = context.facts(self.host)
        path = parse_cf(facts.cf).option("ForwardPath") or forward.DEFAULT_PATH
        name = facts.hostname.partition(".")[0]
        read = forward.expanded_path(path, home=look.account.home.rstrip("/"), user=self._user, host=name)
        others = read[: read.index(look.path)] if look.path in read else ()
        found = [
            one for one, text in context.reader(self.host).read_files(others).items() if text is not None
        ]
        if look.path not in read or found:
            raise Refused(
                f"Sendmail on the {self.host} host does not read {look.path}",
                host=self.host,
                expected="option ForwardPath names it, and no file before it exists",
                seen=f"ForwardPath={path}" + (f"; {found[0]} is there" if found else ""),
                advice="set confFORWARD_PATH in sendmail.mc, or remove the file that is read before",
            )

    def _expect_trusted(self, context: Context, look: _Look) -> None:
        present = look.facts.get(look.path)
        if present and (not present.is_file or present.owner != look.account.uid):
            raise Refused(
                f"{look.path} is no plain file, or belongs to somebody else",
                host=self.host,
                expected=f"no file, or one of user number {look.account.uid}",
                seen=f"mode {present.mode:o}, user number {present.owner}",
                advice="see whose it is and where it leads, and remove it first",
            )
        allowed = safety.flags(parse_cf(context.facts(self.host).cf).option("DontBlameSendmail") or "")
        above = {path: facts for path, facts in look.facts.items() if path != look.path}
        trusted = {0, look.account.uid}
        weak = [
            one
            for one in safety.weaknesses(look.path, "forward", above, allowed, trusted=trusted)
            if not one.hidden
        ]
        if weak:
            raise Refused(
                f"Sendmail would ignore {look.path} without a word",
                host=self.host,
                expected="a home folder, and folders above it, that only their owner and root may write to",
                seen="; ".join(f"{one.path} {one.reason}" for one in weak),
                advice=f"chmod go-w {weak[0].path}, unless its group has to write there",
            )

    def _circle(self, context: Context, look: _Look) -> tuple[str, ...]:
        follow = follower(context.reader(self.host), context.facts(self.host), look.aliases, look.domains)
        own = forward.users_here(forward.targets(self._wanted), look.domains)
        return forward.loop(
            self._user.lower(), lambda name: own if name == self._user.lower() else follow(name)
        )

    def _verified(self, context: Context) -> str:
        return context.reader(self.host).read("sendmail", "-bv", self._user).stdout.strip()

    def _elsewhere(self, look: _Look) -> list[str]:
        return [one for one in self._to if not forward.user_here(one, look.domains)]

    def _as_wanted(self, account: Account, present: Facts) -> bool:
        return present.owner == account.uid and not present.mode & 0o022

    def _proof(self, look: _Look) -> str:
        """Return the script that fails where `sendmail -bv` does not show what is elsewhere, or only the mailbox."""
        lines = [f"found=$(sendmail -bv {shlex.quote(self._user)} 2>&1 </dev/null) || :"]
        for one in self._elsewhere(look):
            lines.append(
                f"printf '%s\\n' \"$found\" | grep -qiF {shlex.quote(f'{one}... deliverable')} || {{"
            )
            lines.append("printf 'Sendmail does not follow the .forward: %s\\n' \"$found\" >&2; exit 1; }")
        return "\n".join(lines) + "\n"


def _leads_to(said: str, address: str) -> bool:
    verdict = verification.verdict_on(said, address)
    return verdict is not None and not verdict.error


def _words(one: verification.Verdict) -> str:
    return f"{one.address}: {one.error or ' '.join(filter(None, (one.mailer, one.host)))}"
