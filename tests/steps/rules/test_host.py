"""What a host must run before anything is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.hosts.base import Output
from migrator.plan import CutoverPlan
from migrator.steps.rules import host
from tests.fakes import NOON, make_facts
from tests.steps.sound import CF, both, brief, sound_world

PROGRAMS = make_facts().programs


def test_the_system_of_each_host_is_told() -> None:
    old, new = host.system(both(sound_world()))
    assert old.text == "Debian GNU/Linux 12 (bookworm), Sendmail 8.17.1.9, init systemd"
    assert brief([old, new]) == ["pass system old", "pass system new"]


def test_a_host_without_sendmail_fails() -> None:
    world = sound_world()
    world.facts["new"] = make_facts(sendmail_version="", family="redhat")

    _, new = host.system(both(world))

    assert brief([new]) == ["fail system new"]
    assert "yum install sendmail" in new.advice


def test_configuration_needs_both_files_of_sendmail() -> None:
    world = sound_world()
    del world.old.files["/etc/mail/sendmail.mc"]
    world.facts["new"] = make_facts(cf="")

    assert brief(list(host.configuration(both(world)))) == [
        "fail configuration old",
        "fail configuration new",
    ]


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ("", "pass"),
        ("O DaemonPortOptions=Name=MTA-v4, Family=inet, Port=smtp, Addr=127.0.0.1\n", "fail"),
        ("O DaemonPortOptions=Port=smtp, Addr=::1, Family=inet6\n", "fail"),
        ("O DaemonPortOptions=Port=smtp, Addr=localhost\nO DaemonPortOptions=Port=587\n", "fail"),
        ("O DaemonPortOptions=Port=smtp, Addr=127.0.0.1\nO DaemonPortOptions=Addr=198.51.100.20\n", "pass"),
    ],
)
def test_a_new_host_that_listens_to_itself_alone_fails(options: str, level: str) -> None:
    world = sound_world()
    world.facts["new"] = make_facts(cf=f"V10/Berkeley\n{options}")

    _, new = host.configuration(both(world))

    assert new.level == level


@pytest.mark.parametrize("kind", ["hash", "btree", "text"])
def test_maps_made_of_a_file_are_told_by_their_type(kind: str) -> None:
    world = sound_world()
    world.facts["old"] = make_facts(cf=f"Kaccess {kind} -T<TMPF> /etc/mail/access\n")

    old, new = host.maps(both(world))

    assert brief([old, new]) == ["pass maps old", "pass maps new"]
    assert old.text == f"access is of type {kind}"


def test_maps_that_the_run_cannot_write_fail_before_anything_is_touched() -> None:
    world = sound_world()
    world.facts["old"] = make_facts(cf="Kmailertable ldap -1 -v mailHost -k mailDomain=%0\n")

    old, new = host.maps(both(world))

    assert brief([old, new]) == ["fail maps old", "pass maps new"]
    assert "mailertable (ldap)" in old.text


def test_missing_programs_fail_with_the_packages_that_bring_them() -> None:
    world = sound_world()
    world.facts["old"] = make_facts(programs=PROGRAMS - {"rsync", "flock"})
    world.facts["new"] = make_facts(programs=PROGRAMS - {"ssh", "makemap"}, family="redhat")

    old, new = host.programs(both(world))

    assert brief([old, new]) == ["fail programs old", "fail programs new"]
    assert "apt-get install rsync util-linux" in old.advice
    assert "yum install openssh-clients sendmail" in new.advice


def test_make_alone_can_be_done_without() -> None:
    world = sound_world()
    world.facts["old"] = make_facts(programs=PROGRAMS - {"make"})
    assert brief(list(host.programs(both(world)))) == ["warn programs old", "pass programs new"]


def test_a_timer_needs_setsid_where_systemd_does_not_run() -> None:
    world = sound_world()
    world.facts["new"] = make_facts(init="other")
    assert "setsid" in list(host.programs(both(world)))[1].text


def test_a_firewall_tool_is_needed_where_a_port_is_closed() -> None:
    world = sound_world()
    world.facts["old"] = world.facts["new"] = make_facts(firewall="")
    assert brief(list(host.firewall(both(world)))) == ["fail firewall new"]

    world.plan = replace(world.plan, cutover=CutoverPlan(strategy="firewall"))
    assert brief(list(host.firewall(both(world)))) == ["fail firewall old", "fail firewall new"]


def test_a_clock_that_differs_is_worth_a_warning() -> None:
    world = sound_world()
    world.old.on("^date", f"{int(NOON.timestamp()) - 300}\n")
    world.new.on("^date", Output(1, "", "no such program"))

    old, new = host.clock(both(world))

    assert brief([old, new]) == ["warn clock old", "warn clock new"]
    assert "300 s behind" in old.text


def test_sound_hosts_pass_every_rule() -> None:
    world = sound_world()
    assert CF in world.facts["new"].cf
    rules = (host.system, host.configuration, host.programs, host.firewall)
    for rule in (*rules, host.clock):
        assert {finding.level for finding in rule(both(world))} == {"pass"}


def test_a_login_shell_that_prints_is_told_by_name() -> None:
    world = sound_world()
    for name in ("old", "new"):
        world.facts[name] = make_facts(greeting="Welcome to the \x1b[1mold\x1b[0m mail server\nbye")
    old, new = host.login_shell(both(world))
    assert brief([old, new]) == ["fail login-shell old", "warn login-shell new"]
    assert "login shell of this host prints text" in old.text
    assert "Welcome" in old.text
    assert "\x1b" not in old.text
    assert ".bashrc" in old.advice


def test_a_silent_login_shell_passes() -> None:
    assert brief(list(host.login_shell(both(sound_world())))) == [
        "pass login-shell old",
        "pass login-shell new",
    ]


def test_a_program_that_cannot_do_what_is_asked_is_told_with_the_version() -> None:
    world = sound_world()
    world.facts["old"] = make_facts(unable=("rsync", "find"))
    old, new = host.programs(both(world))
    assert brief([old, new]) == ["fail programs old", "pass programs new"]
    assert "rsync does not know --ignore-missing-args and --info: 3.1" in old.text
    assert "findutils" in old.advice
