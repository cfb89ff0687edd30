"""Nothing is made anew before it is known to be what its source makes, and the undo brings back what stood there."""

from __future__ import annotations

import pytest

from migrator.change import Change, Upload
from migrator.errors import CommandFailed, Refused
from migrator.hosts.base import Output
from migrator.steps.common.configure import ACCESS, CF, MAILERTABLE
from migrator.steps.common.opening import OPENED
from migrator.steps.exempt_old import ExemptOld
from migrator.steps.homeward.relay_home import RelayHome
from migrator.steps.relay import Relay
from migrator.steps.rules import made
from tests.fakes import NOON
from tests.steps.simulation import SimulatedHost
from tests.steps.sound import both, brief, sound_world
from tests.steps.stage import Stage, upload

LOOK = "migrate-derived-"
MARK = f"{LOOK}{'0' * 32}"
CF_EDITED = ("cf", "due", CF, "/etc/mail/sendmail.mc", "DSsmarthost.example.test", "DS")
DIFFERENCE = "-DSsmarthost.example.test\n+DS"


def record(kind: str, due: str, path: str, source: str, stands: str = "", made_text: str = "") -> str:
    """Return what the look prints of a file that is not what its source makes."""
    if kind == "fault":
        return f"\n{MARK} fault {due} {path} {source}\n{stands}\n"
    texts = f"\n{MARK} stands - - -\n{stands}\n\n{MARK} made - - -\n{made_text}\n"
    return f"{texts}\n{MARK} {kind} {due} {path} {source}\n"


def edited(host: SimulatedHost, *records: tuple[str, ...]) -> None:
    """Let files of a host be other than what their sources make."""
    host.on(LOOK, "".join(record(*one) for one in records))


def refusal(stage: Stage, **context: object) -> Refused:
    with pytest.raises(Refused) as refused:
        stage.perform(**context)
    return refused.value


def undo(change: Change) -> Upload:
    assert isinstance(change.undo, Upload)
    return change.undo


@pytest.mark.parametrize("step", [ExemptOld(), Relay()])
def test_an_edited_cf_is_refused_with_its_difference(step: ExemptOld | Relay) -> None:
    stage = Stage(step)
    host = stage.new if isinstance(step, ExemptOld) else stage.old
    edited(host, CF_EDITED)
    refused = refusal(stage)
    assert host.performed == []
    assert (refused.host, refused.lifted_by) == (host.name, "edited-cf")
    assert DIFFERENCE in (refused.seen or "")
    assert "/etc/mail/sendmail.cf is not what /etc/mail/sendmail.mc makes" in refused.message


def test_what_is_made_anew_by_force_comes_back_byte_for_byte() -> None:
    stage = Stage(ExemptOld())
    before = stage.new.files[CF] = stage.new.files[CF] + b"DSsmarthost.example.test\n"
    edited(stage.new, CF_EDITED)
    (change,) = stage.perform(force=frozenset({"edited-cf"}))
    assert {edit.path: edit.after for edit in undo(change).files}[CF] == before
    assert stage.memory["edited-cf.new"] == "yes"
    # A later change of this host needs no word again; the other host was not spoken of.
    stage.new.files[ACCESS] = b"Connect:192.0.2.7\tREJECT\n"
    assert stage.look()
    edited(stage.old, CF_EDITED)
    other = Stage(Relay())
    edited(other.old, CF_EDITED)
    other.memory = stage.memory
    assert refusal(other).lifted_by == "edited-cf"


def test_a_map_that_the_change_writes_into_is_refused_and_its_database_comes_back() -> None:
    entry = ("map", "later", f"{ACCESS}.db", ACCESS, "connect:192.0.2.9\tRELAY")
    stage = Stage(ExemptOld())
    edited(stage.new, entry)
    refused = refusal(stage)
    assert (refused.lifted_by, "-connect:192.0.2.9\tRELAY" in (refused.seen or "")) == ("edited-maps", True)
    stage.new.files[f"{ACCESS}.db"] = b"a database\0\xff"
    (change,) = stage.perform(force=frozenset({"edited-maps"}))
    assert {edit.path: edit.after for edit in undo(change).files}[f"{ACCESS}.db"] == b"a database\0\xff"
    assert f"touch {CF} {ACCESS}.db" in undo(change).then
    assert f"cp -a {ACCESS}.db" in upload(change).then


def test_the_word_for_one_kind_lifts_no_other() -> None:
    stage = Stage(ExemptOld())
    edited(stage.new, CF_EDITED, ("map", "later", f"{ACCESS}.db", ACCESS, "x\tOK"))
    assert refusal(stage, force=frozenset({"edited-cf"})).lifted_by == "edited-maps"
    assert len(stage.perform(force=frozenset({"edited-cf", "edited-maps"}))) == 1


def test_a_map_that_no_rebuild_touches_is_no_matter_to_a_step() -> None:
    stage = Stage(ExemptOld())
    edited(stage.new, ("map", "later", "/etc/mail/virtusertable.db", "/etc/mail/virtusertable", "x\ty"))
    assert len(stage.perform()) == 1
    stage = Stage(ExemptOld())
    edited(stage.new, ("map", "due", "/etc/mail/virtusertable.db", "/etc/mail/virtusertable", "x\ty"))
    assert refusal(stage).lifted_by == "edited-maps"


def test_what_no_rebuild_can_make_is_lifted_by_no_word() -> None:
    stage = Stage(ExemptOld())
    edited(stage.new, ("fault", "due", CF, "/etc/mail/sendmail.mc", "m4: line 3: a quote"))
    refused = refusal(stage, force=frozenset({"edited-cf", "edited-maps"}))
    assert (refused.lifted_by, refused.seen) == (None, "m4: line 3: a quote")


def test_what_cannot_be_told_stops_the_step() -> None:
    stage = Stage(ExemptOld())
    stage.new.on(LOOK, Output(1, "", "mktemp: No space left on device"))
    with pytest.raises(CommandFailed, match="cannot be told whether") as failed:
        stage.perform()
    assert "No space left" in (failed.value.seen or "")


def test_a_password_of_a_map_is_not_shown() -> None:
    stage = Stage(ExemptOld())
    edited(stage.new, ("map", "due", "/etc/mail/authinfo.db", "/etc/mail/authinfo", 'a\t"U:u" "P:hunter2"'))
    refused = refusal(stage)
    assert "hunter2" not in (refused.seen or "")
    assert '"U:u"' in (refused.seen or "")


def test_the_switch_of_a_relay_asks_no_second_time() -> None:
    stage = Stage(Relay())
    changes = iter(stage.step.changes(stage.context()))
    way = next(changes)
    stage.executor.execute(way.do)
    # The change before made all of it just now.
    edited(stage.old, CF_EDITED)
    assert next(changes).summary != way.summary


def test_the_way_home_refuses_before_anything_is_undone() -> None:
    stage = Stage(RelayHome())
    stage.memory[OPENED] = NOON.isoformat()
    edited(stage.new, CF_EDITED)
    context = stage.context()
    with pytest.raises(Refused) as refused:
        stage.step.before_rollback(context)
    assert refused.value.lifted_by == "edited-cf"


def test_check_tells_both_hosts_with_the_difference() -> None:
    world = sound_world()
    for host in (world.old, world.new):
        host.on(LOOK, record(*CF_EDITED))
    found = list(made.derived(both(world)))
    assert brief(found) == ["fail edited-cf old", "fail edited-cf new"]
    assert all(DIFFERENCE in one.detail and "LOCAL_CONFIG" in one.advice for one in found)


def test_check_fails_for_maps_that_the_run_writes_and_warns_of_others() -> None:
    world = sound_world()
    for host in (world.old, world.new):
        entry = ("map", "later", f"{MAILERTABLE}.db", MAILERTABLE, "elsewhere.test\tesmtp:[192.0.2.1]")
        host.on(LOOK, record(*entry))
    assert brief(list(made.derived(both(world)))) == ["fail edited-maps old", "warn edited-maps new"]


def test_check_passes_where_all_is_made_of_its_sources() -> None:
    assert brief(list(made.derived(both(sound_world())))) == ["pass derived old", "pass derived new"]


def test_check_of_a_run_that_was_forced_only_warns() -> None:
    world = sound_world()
    world.old.on(LOOK, record(*CF_EDITED))
    found = list(made.derived(both(world, memory={"edited-cf.old": "yes"})))
    assert brief(found) == ["warn edited-cf old", "pass derived new"]


def test_lines_of_a_makefile_that_make_writes_itself_are_a_warning_and_no_refusal() -> None:
    entry = ("makefile", "later", "/etc/mail/Makefile", "/etc/mail/databases", "lists.db: lists")
    found = sound_world()
    found.old.on(LOOK, record(*entry))
    told = list(made.derived(both(found)))
    assert brief(told) == ["warn edited-makefile old", "pass derived new"]
    assert "-lists.db: lists" in told[0].detail
    stage = Stage(ExemptOld())
    edited(stage.new, entry)
    assert len(stage.perform()) == 1
