"""Whatever a host prints, its reader gives a result or its own kind of error, soon, and never anything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import MigrateError
from migrator.hosts import facts, inspection, known_hosts, sshd, sudoers, tunnel
from migrator.hosts.base import Output
from migrator.journal import lock
from migrator.mailstore import access, arrivals, home, joining, messages, progress
from migrator.net import firewall, message, tsig
from migrator.report import text as report_text
from migrator.sendmail import cf, class_file, maps, mc, processes, queue, testmode, verification
from migrator.steps.common import claim, daemons
from migrator.steps.rules import tree_scripts
from tests.fakes import FakeHost

MARK = "migrate-facts-" + "0" * 32


@dataclass(frozen=True)
class Reading:
    """A reader of text from a host, and what stands before the text where it would refuse it at once."""

    read: Callable[[str], object]
    before: str = ""
    after: str = ""


def sections(text: str) -> str:
    """Return what a look at a host prints, with this text in every section."""
    names = inspection._SECTIONS
    return f"{MARK}\n" + "".join(f"\n{MARK} {name}\n{text}" for name in names)


def listed(output: str) -> object:
    host = FakeHost("old")
    host.on("CLK_TCK", Output(0, output, ""))
    return daemons.running(host)


def refusing(read: Callable[[str], object]) -> Callable[[str], object]:
    """Return a reader whose documented ValueError is the refusal."""

    def reading(text: str) -> object:
        try:
            return read(text)
        except ValueError:
            return None

    return reading


def authorized(text: str) -> object:
    return access.authorized_line("unit", text, ["198.51.100.20"], "/w")


READERS = {
    "facts": Reading(facts.parse),
    "facts, in each section": Reading(lambda text: facts.parse(sections(text))),
    "known_hosts": Reading(
        lambda text: known_hosts.parse_known_hosts(text).verdict("[a.example]:22", "ssh-rsa", "AAAA")
    ),
    "known_hosts, a line": Reading(
        lambda text: known_hosts.parse_known_hosts(text).verdict("a.example", "ssh-rsa", "AAAA"),
        after=" ssh-rsa AAAA",
    ),
    "known_hosts, a hashed name": Reading(
        lambda text: known_hosts.parse_known_hosts(text).kinds("a.example"), before="|1|", after=" ssh-rsa A"
    ),
    "sshd -T": Reading(
        lambda text: sshd.authorized_keys_files(text, user="u", uid=1, home="/h"), "authorizedkeysfile "
    ),
    "sudo's refusal": Reading(lambda text: sudoers.refusal(1, text)),
    "rsync's question": Reading(tunnel.server_words, "rsync --server --sender -", " . ."),
    "authorized_keys": Reading(lambda text: access.without_entry(text, "unit")),
    "the public key": Reading(refusing(authorized), "ssh-ed25519 "),
    "arrivals": Reading(arrivals.parse),
    "the listing of a way home": Reading(refusing(home.parse_listing)),
    "numbers of a way home": Reading(refusing(lambda text: home.parse_numbers(text, 3)), "0\n", "\nend\n"),
    "marks of mailboxes": Reading(refusing(messages.parse_marks), "mailbox 1", "\nend\n"),
    "joined mailboxes": Reading(refusing(lambda text: joining.parse_joined(text, 3)), "joined 1 "),
    "the mark of a run": Reading(claim.parse),
    "progress": Reading(progress.parse_progress),
    "statistics": Reading(progress.parse_statistics, "Number of files: 1"),
    "differences": Reading(progress.parse_items, ">f+++++++++ "),
    "firewall": Reading(firewall.parse_state, "closed except "),
    "a key file": Reading(lambda text: tsig.parse_key(text, name="lab", algorithm="hmac-sha256")),
    "a key clause": Reading(
        lambda text: tsig.parse_key(text, name="lab", algorithm="hmac-sha256"), "key lab { secret ", "; };"
    ),
    "Received lines": Reading(
        lambda text: message.received_hosts(text.encode("utf-8", "surrogatepass")), "Received: from "
    ),
    "sendmail.cf": Reading(cf.parse),
    "sendmail.cf, a map": Reading(cf.parse, "Kaccess hash "),
    "sendmail.cf, a port": Reading(lambda text: cf.parse(text).daemon_ports, "O DaemonPortOptions="),
    "sendmail.cf, a size": Reading(lambda text: cf.parse(text).max_message_size, "O MaxMessageSize="),
    "sendmail.mc": Reading(mc.parse),
    "sendmail.mc, a call": Reading(mc.parse, "FEATURE(`", ")"),
    "an edit of sendmail.mc": Reading(lambda text: mc.ensure_feature(text, "mailertable")),
    "class file": Reading(class_file.names),
    "an edit of a class file": Reading(lambda text: class_file.remove_domain(text, "example.test")),
    "map": Reading(lambda text: maps.lookup(text, "example.test")),
    "an edit of a map": Reading(lambda text: maps.set_entry(text, "example.test", "esmtp:[198.51.100.20]")),
    "processes": Reading(processes.parse),
    "processes, a row": Reading(processes.parse, "0\0", "\0\0"),
    "processes and the clock": Reading(listed),
    "processes and the clock, in place": Reading(listed, "1.0 100 ", " 5\n\0"),
    "queue": Reading(queue.parse_dump),
    "queue, a message": Reading(lambda text: queue.parse("qfX", text)),
    "queue, a time": Reading(lambda text: queue.parse("qfX", text), "T"),
    "sendmail -bt": Reading(lambda text: testmode.answers(text, ("w",), ("j",))),
    "sendmail -d0.1": Reading(testmode.parse_build),
    "sendmail -bv": Reading(lambda text: [one.hosts for one in verification.parse(text)]),
    "sendmail -bv, a host": Reading(
        lambda text: [one.hosts for one in verification.parse(text)],
        "a@b... deliverable: mailer esmtp, host ",
        ", user a@b",
    ),
    "sizes": Reading(tree_scripts.parse_sizes),
    "rooms": Reading(tree_scripts.parse_rooms, "size 1"),
    "a lock's holder": Reading(lambda text: lock._holder(text.encode("utf-8", "surrogatepass"))),
    "a terminal": Reading(report_text.clean_lines),
}
each_reader = pytest.mark.parametrize("reading", READERS.values(), ids=READERS)

ANYTHING = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=60),
    st.binary(max_size=60).map(lambda octets: octets.decode("utf-8", "surrogateescape")),
    st.text("0123456789.,-: \t\n\0%/@[]()<>{}=;'`\"\\$#|", max_size=40),
)
LARGE = 60_000
PIECES = (
    *(" ", "a", "0", "9", ".", ",", ":", "\n", "\0", "\t", "\\", "\r", "-", "/", "%", "@", "#"),
    *("(", ")", "`", "'", '"', "[", "<", "{", "|", "a ", " a", "a,", "1.", "a@", "\\\n", "\n ", "\n\t", "/*"),
    *("dnl", "size ", "%h", "key a {", "::", "\udcff", "\u0660", "\u2028", " host ", "closed except "),
)


@each_reader
@given(text=ANYTHING)
def test_it_is_read_or_refused(reading: Reading, text: str) -> None:
    for asked in (text, reading.before + text + reading.after):
        try:
            reading.read(asked)
        except MigrateError as refused:
            assert refused.message


@each_reader
def test_much_of_it_takes_no_time(reading: Reading) -> None:
    for piece in PIECES:
        text = piece * (LARGE // len(piece))
        for asked in (text, reading.before + text + reading.after):
            began = time.thread_time()
            try:
                reading.read(asked)
            except MigrateError as refused:
                assert refused.message
            took = time.thread_time() - began
            assert took < 3, f"{took:.1f} s for {len(asked)} characters of {piece!r}"
