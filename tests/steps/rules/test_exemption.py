"""Whether the hosts let each other in is told days ahead."""

from __future__ import annotations

from migrator.steps.rules.exemption import let_in
from tests.fakes import make_facts
from tests.steps.sound import CF, both, brief, sound_world

ACCESS = "/etc/mail/access"


def test_hosts_that_let_each_other_in_pass() -> None:
    assert brief(list(let_in(both(sound_world())))) == ["pass let-in new", "pass let-in old"]


def test_a_line_that_refuses_the_other_host_is_named_with_the_cure() -> None:
    world = sound_world()
    world.facts = dict.fromkeys(("old", "new"), make_facts(cf=f"{CF}Kaccess hash -T<TMPF> {ACCESS}\n"))
    for host in (world.old, world.new):
        host.files[ACCESS] = b"198.51.100 REJECT\n"
    new, old = let_in(both(world))
    assert brief([new, old]) == ["fail let-in new", "warn let-in old"]
    assert "198.51.100 REJECT" in new.text
    assert "Connect:198.51.100.10 OK" in new.advice
    assert "a rollback" in old.text
