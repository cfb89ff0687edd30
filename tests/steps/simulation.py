"""A Debian Sendmail host in memory: files, daemon, firewall and queue, moved by the scripts that steps write.

Scripts are recognised by the builders that made them; what a real host does with them is the lab's to show.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

from migrator.change import SendProbe
from migrator.hosts import boot, daemon, families
from migrator.hosts.base import Output
from migrator.hosts.facts import HostFacts
from migrator.mailstore import access
from migrator.net import firewall
from migrator.plan import DnsPlan, HostPlan, Plan, SyncTree, WebmailPlan
from migrator.plan.shapes import Strategy
from migrator.sendmail import addresses, cf, class_file, maps
from tests.fakes import FakeExecutor, FakeHost, World, make_facts, make_plan

HELD_OPEN = 1000.0  # seconds that the host has been up
MC = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
FEATURE(`use_cw_file')dnl
FEATURE(`access_db', , `skip')dnl
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
FILES = {
    "/etc/mail/sendmail.mc": MC,
    "/etc/mail/access": "# local policy\nConnect:192.0.2.7\tREJECT\n",
    "/etc/mail/local-host-names": "# one a line\nlocalhost\nexample.test\n",
    "/etc/mail/databases": "access:/etc/mail/access\n",
    "/etc/mail/Makefile": "all: sendmail.cf\n",
    "/etc/aliases": "postmaster: root\n",
    "/root/.ssh/authorized_keys": "ssh-ed25519 AAAAadmin admin@desk\n",
}
NAME = "mail.example.test"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExample"


class SimulatedHost(FakeHost):
    """One of the two hosts of a plan."""

    def __init__(self, name: str, plan: Plan) -> None:
        super().__init__(name, FILES)
        self.plan = plan
        self.port = firewall.OPEN
        self.listening = True
        self.starts_at_boot = True
        self.hidden = False  # by rules of its own, which no look at those of the migration sees
        self.aliases: dict[str, tuple[str, ...]] = {}
        self.mailboxes: dict[str, str] = {}  # token: the Received lines above it
        self._build()
        self._answer_reads()

    @property
    def facts(self) -> HostFacts:
        address = (self.plan.old if self.name == "old" else self.plan.new).address
        facts = make_facts(cf=self._text("/etc/mail/sendmail.cf"), addresses=(address,), source=address)
        return replace(facts, programs=facts.programs | {"apache2ctl"})

    def picture(self) -> object:
        """Return all that a rollback has to bring back."""
        return dict(self.files), self.port, self.listening, self.starts_at_boot

    def perform(self, script: str, *, timeout: float, on_line: Callable[[str], None] | None = None) -> Output:
        output = super().perform(script, timeout=timeout, on_line=on_line)
        for _, effect in sorted(self._effects(script), key=lambda found: found[0]):
            effect()
        return output

    def relays(self, domain: str) -> bool:
        """Return whether mail for a domain goes to the new host by the files as they are."""
        local = class_file.names(self._text("/etc/mail/local-host-names"))
        return domain not in local and self._route(domain) is not None

    def _text(self, path: str) -> str:
        return self.files.get(path, b"").decode()

    def _route(self, domain: str) -> str | None:
        table = self.files.get("/etc/mail/mailertable.db", b"").decode()
        return maps.lookup(table, domain)

    def _effects(self, script: str) -> Iterator[tuple[int, Callable[[], None]]]:
        known: list[tuple[str, Callable[[], None]]] = [
            (families.rebuild(self.facts), self._build),
            (families.rebuild_maps(self.facts), self._make_maps),
            (daemon.start(self.facts), partial(self._listen, True)),
            (daemon.stop(self.facts), partial(self._listen, False)),
            (boot.hold(self.plan.name), partial(self._boot, False)),
            (boot.release(self.plan.name), partial(self._boot, True)),
            (firewall.open_script("nft", self.plan.name), partial(self._close, firewall.OPEN)),
        ]
        for allowed in ((), (self.plan.old.address,)):
            text = firewall.closed_text(allowed)
            closing = firewall.close_script("nft", self.plan.name, allowed)
            known.append((closing, partial(self._close, text)))
        for text, effect in known:
            if (place := script.rfind(text)) >= 0:
                yield place, effect
        yield from self._file_effects(script)
        yield from self._upload_effects(script)

    def _upload_effects(self, script: str) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield what the text of an upload does, as a script that a host keeps for later."""
        for found in re.finditer(r"then write (\d+) (\S+) (\S+) ", script):
            number, path, digest = found.groups()
            before = script[: found.start()]
            # The files are there before what makes them count, which is defined further up.
            place = before.rindex(f"\nlook {number} {path} ")
            if digest == "absent":
                yield place, partial(self._remove, [path])
                continue
            decoded = re.findall(
                rf"decode >\"\$work/new\.{number}\" <<'(\w+)'\n(.*?)\n\1\n", before, re.DOTALL
            )
            yield place, partial(self._write, path, base64.b64decode(decoded[-1][1]))

    def _write(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def _file_effects(self, script: str) -> Iterator[tuple[int, Callable[[], None]]]:
        for found in re.finditer(r"^rm -f (?:-- )?([^\"$\n]+)$", script, re.MULTILINE):
            yield found.start(), partial(self._remove, shlex.split(found[1]))
        for found in re.finditer(r"ssh-keygen .* -f (\S+);", script):
            yield found.start(), partial(self._make_key, found[1])
        door = access.DoorPaths.of(self.plan.name, "/root")
        if access.remove_entry_script(door, self.plan.name) in script:
            yield 0, self._remove_entry

    def _build(self) -> None:
        """Do what `make -C /etc/mail` does: sendmail.cf from sendmail.mc, and every map that it names."""
        mc = self._text("/etc/mail/sendmail.mc")
        lines = ["Fw/etc/mail/local-host-names %[^\\#]", "O QueueDirectory=/var/spool/mqueue"]
        lines += [
            f"K{name} hash -o /etc/mail/{name}"
            for name, feature in (("access", "access_db"), ("mailertable", "mailertable"))
            if f"FEATURE(`{feature}'" in mc
        ]
        flags = "mDFMuXa" + ("k" if "+k" in mc else "")
        lines += [f"Mesmtp,\tP=[IPC], F={flags}", "Mlocal,\tP=/usr/bin/procmail, F=lsDFMAw5:/|@qSPfhn9"]
        self.files["/etc/mail/sendmail.cf"] = "\n".join([*lines, ""]).encode()
        self._make_maps()

    def _make_maps(self) -> None:
        for declared in cf.parse(self._text("/etc/mail/sendmail.cf")).maps:
            if declared.path in self.files:
                self.files[f"{declared.path}.db"] = self.files[declared.path]

    def _make_key(self, path: str) -> None:
        self.files[path] = b"private"
        self.files[f"{path}.pub"] = f"{PUBLIC_KEY} migrate:{self.plan.name}\n".encode()

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            self.files.pop(path, None)

    def _remove_entry(self) -> None:
        path = "/root/.ssh/authorized_keys"
        self.files[path] = access.without_entry(self._text(path), self.plan.name).encode()

    def _listen(self, now: bool) -> None:
        self.listening = now

    def _boot(self, starts: bool) -> None:
        self.starts_at_boot = starts

    def _close(self, text: str) -> None:
        self.port = text

    def _answer_reads(self) -> None:
        self.on(re.escape(firewall.state_script("nft", self.plan.name)), lambda _host, _text: self.port)
        starts = re.escape(boot.starts_script(self.plan.name))
        self.on(starts, lambda _host, _text: "/etc/rc2.d/S01sendmail\n" if self.starts_at_boot else "")
        self.on(r"CLK_TCK.*proc", lambda _host, _text: self._processes())
        self.on(r"sendmail -bt", lambda _host, text: self._test_mode(text))
        self.on(r"sendmail -bv", lambda _host, text: self._verdicts(text.split()[2:]))
        self.on(r"END_OF_RECIPIENTS", lambda _host, text: self._endings(text))
        self.on(access.KNOCK, lambda _host, _text: self._knock())
        self.on(r"mqueue", "\0")
        self.on(r"du -skH.*absent", "100\n" * len(self.plan.sync))
        self.on(r"df -Pk", "size 0\n/dev/sda1 9000000 1000 8000000 1% /\n" * len(self.plan.sync))
        self.on(r"sort -un", "1001\n")
        self.on(r"grep -lF -e (\S+)", lambda _host, text: self._find(text))
        self.on(r"^grep -aF", lambda _host, text: self.mailboxes.get(text.split()[-2], ""))

    def _processes(self) -> str:
        fields = " ".join(["S", "1", "77", "77", *["0"] * 15, str(int(HELD_OPEN * 100))])
        title = "sendmail: MTA: accepting connections"
        row = f"0\x0077 (sendmail-mta) {fields}\0{title}\0" if self.listening else ""
        return f"{HELD_OPEN} 100 2000 2000\n{row}\0"

    def _test_mode(self, text: str) -> str:
        mark = re.search(r"\.D\{migrateMark\}(\S+)", text)
        names = [*class_file.names(self._text("/etc/mail/local-host-names")), NAME]
        answers = {"${migrateMark}": mark[1] if mark else "", "$=w": "\n".join(names), "$j": NAME}
        return "\n".join(answers[line] for line in text.splitlines() if line in answers)

    def _verdicts(self, addresses: list[str]) -> str:
        lines = []
        for address in addresses:
            user, _, domain = address.partition("@")
            if self.relays(domain):
                host = (self._route(domain) or "").partition(":")[2]
                lines.append(f"{address}... deliverable: mailer esmtp, host {host}, user {address}")
            else:
                lines.append(f"{address}... deliverable: mailer local, user {user}")
        return "\n".join(lines)

    def _endings(self, script: str) -> str:
        """Answer for recipients of a queue as Sendmail does, with the local mailer of every host."""
        listed = re.search(r"<<'(END_OF_RECIPIENTS\w*)'[^\n]*\n(.*?)\1\n", script, re.DOTALL)
        alone = "while IFS= read" in script
        lines = []
        for text in listed[2].splitlines() if listed else []:
            lines += [f"\n\x01{text}"] if alone else []
            lines += [f"{each}... {verdict}" for each, verdict in self._ending(text)]
        return "\n".join([*lines, "\nall recipients were asked about\n"])

    def _ending(self, text: str) -> list[tuple[str, str]]:
        address = addresses.bare(text)
        domain = addresses.domain(address)
        if text in self.aliases:
            return [(each, verdict) for lead in self.aliases[text] for each, verdict in self._ending(lead)]
        if text.strip('<">').startswith("|"):
            return [(text, "Cannot mail directly to programs")]
        if text.strip('<">').startswith("/"):
            return [(text, "Cannot mail directly to files")]
        local = domain in ("", NAME, "localhost") or (domain == "example.test" and not self.relays(domain))
        user, _, onward = address.partition("@")[0].partition("%")
        if onward:
            return [(text, f"deliverable: mailer esmtp, host {onward}, user {user}@{onward}")]
        if local and user.removeprefix("\\") not in self.facts.accounts:
            return [(text, "User unknown")]
        mailer = f"local, user {user}" if local else f"esmtp, host {domain}, user {address}"
        return [(text, f"deliverable: mailer {mailer}")]

    def _knock(self) -> str:
        keys = access.KeyPaths.of(self.plan.name, "/root")
        return access.HELLO.format(name=self.plan.name) if keys.private in self.files else ""

    def _find(self, text: str) -> str:
        found = re.search(r"grep -lF -e (\S+)", text)
        return "/var/spool/mail/user01\n" if found and found[1] in self.mailboxes else ""


class SimulatedExecutor(FakeExecutor):
    """Performs on simulated hosts; a probe arrives where the old host's files, or the new one, put it."""

    def execute(self, command: object) -> bool:
        if isinstance(command, SendProbe) and command.expect == "accepted":
            plan, new = self.world.plan, self.world.new
            hop = "Received: from client (client [192.0.2.99])\n\tby mail.example.test; Sun, 29 Nov 2026 12:00:00 GMT\n"
            relayed = hop.replace("client [192.0.2.99]", f"{NAME} [{plan.old.address}]")
            assert isinstance(new, SimulatedHost)
            top = relayed if command.address == plan.old.address else ""
            new.mailboxes[command.token] = f"{top}{hop}X-Migrate-Token: {command.token}\n"
        return super().execute(command)  # type: ignore[arg-type] # a command, whatever its kind


def simulated(strategy: Strategy) -> World:
    """Given a cut-over strategy, return a world of two simulated hosts before their migration."""
    plan = simulated_plan(strategy)
    old, new = SimulatedHost("old", plan), SimulatedHost("new", plan)
    world = World(plan, old=old, new=new)
    world.facts = {"old": old.facts, "new": new.facts}
    world.mail.answer = lambda address, recipient: _greeting(world, address, recipient)
    for host in (old, new):
        host.on(r"^date", lambda _host, _text: f"{world.clock.now().timestamp():.0f}\n")
    old.on(r"\nreach [0-9]", lambda _host, _text: _reached(new, plan.old.address))
    new.on(r"\nreach [0-9]", lambda _host, _text: _reached(old, plan.new.address))
    webmail = plan.webmail
    assert webmail is not None
    world.web.head = lambda url, *, address: (  # type: ignore[method-assign]
        (301, webmail.new_url) if any("webmail" in path for path in old.files) else (200, "")
    )
    return world


def _reached(host: SimulatedHost, source: str) -> str:
    """Return what a host's port 25 answers to a connection from the other one."""
    address = (host.plan.old if host.name == "old" else host.plan.new).address
    passes = host.port in (firewall.OPEN, firewall.closed_text((source,)))
    if not (host.listening and passes) or host.hidden:
        return f"reach {address}\nbash: connect: Connection refused\nended 3\n"
    return f"reach {address}\nconnected\n< banner 220 {NAME} ESMTP\n< rcpt 250 2.1.5 ok\nended 0\n"


def simulated_plan(strategy: Strategy) -> Plan:
    """Return a plan of one domain whose DNS is changed by a program, and whose caches are dry at once."""
    plan = make_plan(
        dns=DnsPlan(update="command", command=("/bin/true",), lead=timedelta(0), ttl=timedelta(minutes=15)),
        old=HostPlan("root@198.51.100.10", ("198.51.100.10",)),
        new=HostPlan("root@198.51.100.20", ("198.51.100.20",)),
        sync=(SyncTree("/var/spool/mail/", "/var/spool/mail/"), SyncTree("/srv/mail/", "/srv/mail/")),
        webmail=WebmailPlan("http://webmail.example.test/", "https://webmail2.example.test/"),
    )
    return replace(plan, cutover=replace(plan.cutover, strategy=strategy))


def _greeting(world: World, address: str, recipient: str) -> tuple[int, str]:
    user, _, domain = recipient.partition("@")
    host = world.old if address == world.plan.old.address else world.new
    assert isinstance(host, SimulatedHost)
    known = user in ("postmaster", "root", "user01")
    return (250, "2.1.5 Ok") if known or host.relays(domain) else (550, "5.1.1 User unknown")
