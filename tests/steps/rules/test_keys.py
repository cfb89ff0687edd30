"""A key that was left behind is found, wherever sshd looks for it, on either host."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from migrator.steps.rules.keys import left_keys
from tests.fakes import World
from tests.steps.sound import both, brief, sound_world

AUTHORIZED = "/root/.ssh/authorized_keys"
LEFT = (
    b'ssh-ed25519 AAAA admin\nrestrict,command="x" ssh-ed25519 AAAA migrate:last-year\n'
    b"ssh-ed25519 AAAA migrate:example-mail\r\n# migrate:UPPER\nssh-ed25519 AAAA xmigrate:no\n"
)


def texts(world: World) -> list[str]:
    return [one.text.rpartition(": ")[2] for one in left_keys(both(world))]


def test_hosts_without_one_pass() -> None:
    assert brief(list(left_keys(both(sound_world())))) == ["pass left-keys old", "pass left-keys new"]


def test_a_line_is_known_by_its_mark_and_that_of_a_run_under_way_is_none() -> None:
    world = sound_world()
    world.old.files[AUTHORIZED] = LEFT
    old, new = left_keys(both(world))
    assert brief([old, new]) == ["warn left-keys old", "pass left-keys new"]
    assert old.text.endswith(": example-mail, last-year")
    assert f"migrate:NAME from {AUTHORIZED}" in old.advice
    old, _ = left_keys(both(world, memory={"key": "made"}))
    assert old.text.endswith(": last-year")


def test_the_plans_own_is_removed_by_a_command_that_is_named() -> None:
    world = sound_world()
    world.old.files[AUTHORIZED] = b"ssh-ed25519 AAAA migrate:example-mail\n"
    old, _ = left_keys(both(world))
    assert old.advice == f"`migrate check {shlex.quote(str(world.plan.path))} --remove-keys` removes it"


def test_it_is_found_where_sshd_looks() -> None:
    world = sound_world()
    world.old.on("-T -C user=root", "authorizedkeysfile /etc/ssh/keys/%u\n")
    world.old.files["/etc/ssh/keys/root"] = b"ssh-ed25519 AAAA migrate:last-year\n"
    assert texts(world)[0] == "last-year"


def test_files_of_a_key_count_on_either_host() -> None:
    world = sound_world()
    world.old.on("name 'migrate-", "migrate-one.sh\n")
    world.new.on("name 'migrate-", "migrate-two\nmigrate-two.pub\nmigrate-two.known_hosts\nmigrate-X!\n")
    assert texts(world) == ["one", "two"]


@given(st.text(st.characters(exclude_categories=[]), max_size=200))
def test_arbitrary_text_of_a_host_names_only_what_could_be_a_migration(text: str) -> None:
    world = sound_world()
    world.old.files[AUTHORIZED] = text.encode("utf-8", "surrogatepass")
    world.new.on("name 'migrate-", text)
    for finding in left_keys(both(world)):
        assert finding.name == "left-keys"
