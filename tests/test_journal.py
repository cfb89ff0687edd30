"""The journal keeps every event before the next deed, and survives whatever ends the program."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.change import (
    AddressSet,
    BringHome,
    Change,
    Command,
    DnsUpdate,
    FileEdit,
    Note,
    Rsync,
    SendProbe,
    Shell,
    Undo,
    Upload,
)
from migrator.errors import JournalDamaged, JournalNewer, Locked
from migrator.event import Event, Kind
from migrator.journal import Journal, JournalError, Lock, Scratch, State, decode, encode, read_state

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".migrate" / "example-mail"


def event(kind: Kind, step: str | None = None, *, minutes: int = 0, text: str = "", **data: object) -> Event:
    return Event(kind, NOON + timedelta(minutes=minutes), step, None, text, data)


def planned(step: str, summary: str = "write a file", **remember: str) -> Event:
    change = Change(summary, Shell("old", "true"), Shell("old", "false"), remember)
    return event(Kind.CHANGE_PLANNED, step, change=encode(change))


def write(folder: Path, *events: Event) -> Journal:
    journal = Journal(folder)
    for one in events:
        journal.append(one)
    return journal


class TestFile:
    def test_what_was_appended_is_there_after_opening_again(self, folder: Path) -> None:
        write(folder, event(Kind.STEP_STARTED, "survey"), event(Kind.STEP_DONE, "survey", minutes=2)).close()
        survey = Journal(folder).state.steps["survey"]
        assert (survey.state, survey.started, survey.ended) == ("done", NOON, NOON + timedelta(minutes=2))

    def test_it_is_for_its_owner_alone(self, folder: Path) -> None:
        write(folder, event(Kind.RUN_DONE)).close()
        modes = [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / "journal.jsonl")]
        assert modes == [0o700, 0o700, 0o600]

    def test_a_line_is_on_the_disk_before_append_returns(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = Journal(folder)
        synced: list[int] = []
        monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
        journal.append(event(Kind.STEP_STARTED, "survey"))
        assert synced == [journal.path.stat().st_size]

    def test_bytes_of_a_host_that_are_not_utf8_come_back(self, folder: Path) -> None:
        text = b"bo\xeete \xff".decode("utf-8", "surrogateescape")
        write(folder, event(Kind.STEP_FAILED, "survey", text=text)).close()
        assert Journal(folder).state.steps["survey"].text == text

    def test_a_torn_last_line_is_dropped_and_written_over(self, folder: Path) -> None:
        journal = write(folder, event(Kind.STEP_STARTED, "survey"), event(Kind.STEP_DONE, "survey"))
        journal.close()
        whole = journal.path.read_bytes()
        journal.path.write_bytes(whole + b'{"sequence": 3, "kind": "run_do')
        again = Journal(folder)
        assert journal.path.read_bytes() == whole
        assert again.append(event(Kind.RUN_DONE)) == 3
        assert read_state(folder).complete

    @given(cut=st.integers(min_value=0, max_value=4000))
    def test_cut_anywhere_it_opens_with_the_whole_lines(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int
    ) -> None:
        folder = tmp_path_factory.mktemp("cut") / "name"
        journal = write(folder, *(event(Kind.STEP_DONE, f"step{number}") for number in range(12)))
        journal.close()
        content = journal.path.read_bytes()[:cut]
        journal.path.write_bytes(content)
        again = Journal(folder)
        again.close()
        assert len(again.state.steps) == content.count(b"\n")

    def test_status_reads_a_torn_journal_and_leaves_it_as_it_is(self, folder: Path) -> None:
        journal = write(folder, event(Kind.STEP_DONE, "survey"))
        journal.close()
        torn = journal.path.read_bytes() + b'{"seq'
        journal.path.write_bytes(torn)
        assert read_state(folder).finished("survey")
        assert journal.path.read_bytes() == torn

    def test_there_is_nothing_to_read_before_the_first_run(self, folder: Path) -> None:
        assert not read_state(folder).begun
        assert not folder.exists()

    @pytest.mark.parametrize(
        "line",
        [
            b"\n",
            b"not json\n",
            b"[" * 100_000 + b"\n",
            b"[]\n",
            b'{"sequence": 2}\n',
            b"\xff\xfe\n",
            b'{"sequence":2,"time":"x","kind":"run_done","step":null,"host":null,"text":"","data":{}}\n',
            b'{"sequence":2,"time":"2026-11-29T12:00:00+00:00","kind":"change_done","step":"a","host":null,'
            b'"text":"","data":{"planned":1}}\n',
        ],
    )
    def test_another_unreadable_line_is_named_and_what_can_be_done(self, folder: Path, line: bytes) -> None:
        journal = write(folder, event(Kind.STEP_STARTED, "survey"), event(Kind.STEP_DONE, "survey"))
        journal.close()
        first, second = journal.path.read_bytes().splitlines(keepends=True)
        journal.path.write_bytes(first + line + second)
        with pytest.raises(JournalDamaged, match="line 2") as caught:
            Journal(folder)
        assert "head -n 1" in (caught.value.advice or "")
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"kind": "mailboxes_frozen"}, "the event 'mailboxes_frozen'"),
            ({"kind": "run_started", "data": {"format": 3, "whatever": []}}, "the format 3"),
            ({"format": 4}, "the format 4"),
            ({"do": {"kind": "freeze", "host": "old"}}, "the command 'freeze'"),
            ({"undo": {"kind": "thaw", "host": "old"}}, "the command 'thaw'"),
            ({"undo": "by hand"}, "the undo 'by hand'"),
            ({"undo": {"kind": "shell", "host": "old", "script": "true", "as_user": "mail"}}, "'as_user'"),
            (
                {
                    "undo": {
                        "kind": "upload",
                        "host": "old",
                        "files": [{"path": "/etc/aliases", "label": "x"}],
                    }
                },
                "'label'",
            ),
            ({"unless": "the host is lost"}, "'unless' of a change"),
        ],
    )
    def test_a_line_of_a_newer_version_is_told_as_that_and_nothing_is_to_be_cut(
        self, folder: Path, change: dict[str, object], what: str
    ) -> None:
        shell = Change("look", Shell("old", "true"), Shell("old", "true"))
        planned = event(Kind.CHANGE_PLANNED, "survey", change=encode(shell))
        journal = write(folder, event(Kind.STEP_STARTED, "survey"), planned, event(Kind.STEP_DONE, "survey"))
        journal.close()
        lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
        of_change = {"do", "undo", "unless"} & change.keys()
        (lines[1]["data"]["change"] if of_change else lines[1]).update(change)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        journal.path.write_text(text)
        for read in (Journal, read_state):
            with pytest.raises(JournalNewer, match=r"line 2.*written by a newer version") as caught:
                read(folder)
            assert what in caught.value.message
            assert caught.value.exit_code == 3
            assert "cut the file" not in (caught.value.advice or "")
            assert "head -n" not in (caught.value.advice or "")
        assert journal.path.read_text() == text

    def test_a_missing_line_is_noticed(self, folder: Path) -> None:
        journal = write(folder, *(event(Kind.STEP_DONE, name) for name in ("one", "two", "three")))
        journal.close()
        first, _, third = journal.path.read_bytes().splitlines(keepends=True)
        journal.path.write_bytes(first + third)
        with pytest.raises(JournalDamaged, match=r"line 2.*missing or doubled"):
            read_state(folder)

    def test_a_full_disk_ends_it_with_whole_lines(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = write(folder, event(Kind.STEP_STARTED, "survey"))
        before = journal.path.read_bytes()
        write_through = os.write

        def half(descriptor: int, line: bytes) -> int:
            write_through(descriptor, line[: len(line) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", half)
        with pytest.raises(JournalError, match="No space left on device"):
            journal.append(event(Kind.STEP_DONE, "survey"))
        monkeypatch.undo()
        assert journal.path.read_bytes() == before
        assert not journal.state.finished("survey")
        with pytest.raises(JournalError):
            journal.append(event(Kind.STEP_DONE, "survey"))

    def test_a_short_write_is_a_failed_write(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        journal = write(folder, event(Kind.STEP_STARTED, "survey"))
        write_through = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, line: write_through(descriptor, line[:9]))
        with pytest.raises(JournalError, match="only 18 of"):
            journal.append(event(Kind.STEP_DONE, "survey"))
        assert journal.path.read_bytes().count(b"\n") == 1

    def test_a_disk_that_takes_a_part_of_a_line_is_said_to_be_full(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = write(folder, event(Kind.STEP_STARTED, "survey"))
        write_through = os.write

        def filling(descriptor: int, line: bytes) -> int:
            if not line.startswith(b"{"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return write_through(descriptor, line[:9])

        monkeypatch.setattr(os, "write", filling)
        with pytest.raises(JournalError, match="No space left on device"):
            journal.append(event(Kind.STEP_DONE, "survey"))
        assert journal.path.read_bytes().count(b"\n") == 1

    def test_a_folder_that_cannot_be_made_is_a_clear_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(JournalError, match=re.escape(str(tmp_path / "file"))):
            Journal(tmp_path / "file" / "name")

    def test_signals_are_held_back_while_a_line_is_written(self, folder: Path) -> None:
        journal_lines: list[int] = []

        @contextmanager
        def shield() -> Iterator[None]:
            journal_lines.append(journal.path.read_bytes().count(b"\n"))
            yield
            journal_lines.append(journal.path.read_bytes().count(b"\n"))

        journal = Journal(folder)
        journal.close()
        journal = Journal(folder, shield=shield())
        journal.append(event(Kind.RUN_DONE))
        assert journal_lines == [0, 1]


class TestLock:
    def test_a_second_run_is_told_who_where_and_since_when(self, folder: Path) -> None:
        with Lock(folder, now=lambda: NOON), pytest.raises(Locked) as caught, Lock(folder):
            pass
        assert caught.value.exit_code == 4
        assert f"process {os.getpid()}, since 2026-11-29T12:00:00+00:00" in caught.value.message
        assert os.uname().nodename in caught.value.message

    def test_it_can_be_taken_again_once_it_was_let_go(self, folder: Path) -> None:
        for _ in range(2):
            with Lock(folder):
                assert (folder / "lock").stat().st_mode & 0o777 == 0o600

    def test_the_kernel_lets_go_of_it_when_its_holder_is_killed(self, folder: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        taken = spawn.Event()
        holder = spawn.Process(target=_hold, args=(folder, taken))
        holder.start()
        assert taken.wait(30)
        with pytest.raises(Locked, match=f"process {holder.pid}"), Lock(folder):
            pass
        holder.kill()
        holder.join()
        with Lock(folder):
            pass

    def test_a_holder_that_has_not_written_its_name_yet_still_counts(self, folder: Path) -> None:
        with Lock(folder):
            (folder / "lock").write_text("")
            with pytest.raises(Locked, match="not known yet"), Lock(folder):
                pass


def _hold(folder: Path, taken: object) -> None:
    with Lock(folder):
        taken.set()  # type: ignore[attr-defined] # multiprocessing names no public type for its events
        multiprocessing.Event().wait(60)


class TestState:
    def test_a_planned_change_is_pending_until_it_is_done_or_failed(self, folder: Path) -> None:
        journal = write(folder, event(Kind.STEP_STARTED, "relay"), planned("relay"))
        pending = journal.state.pending("relay")
        assert pending is not None
        assert pending.change.do == Shell("old", "true")
        assert journal.state.pending("open") is None
        journal.append(event(Kind.CHANGE_DONE, "relay", planned=pending.sequence))
        assert journal.state.pending("relay") is None

    def test_memory_is_what_confirmed_changes_remember(self, folder: Path) -> None:
        journal = write(folder, planned("relay", key="early"))
        memory = journal.state.memory
        assert memory == {}
        journal.append(event(Kind.CHANGE_DONE, "relay", planned=1))
        assert memory == {"key": "early"}
        journal.append(planned("open", key="late"))
        journal.append(event(Kind.CHANGE_FAILED, "open", planned=3))
        assert memory == {"key": "early"}

    def test_starting_over_forgets_steps_and_memory_but_no_undo(self, folder: Path) -> None:
        journal = write(
            folder,
            planned("keys", key="1"),
            event(Kind.CHANGE_DONE, "keys", planned=1),
            event(Kind.STEP_DONE, "keys"),
            planned("close", key="2", port="closed"),
            event(Kind.CHANGE_DONE, "close", planned=4),
            event(Kind.STEP_DONE, "close"),
            planned("copy"),
            event(Kind.STARTED_OVER, "close", steps=["close", "copy"]),
        )
        state = journal.state
        assert state.memory == {"key": "1"}
        assert [state.finished(name) for name in ("keys", "close", "copy")] == [True, False, False]
        assert state.pending("copy") is None
        assert [deed.sequence for deed in state.undoable()] == [7, 4, 1]

    def test_what_is_undone_is_not_undone_again_and_remembered_to_the_end_of_the_way_back(
        self, folder: Path
    ) -> None:
        journal = write(folder, planned("keys", key="1"), event(Kind.CHANGE_DONE, "keys", planned=1))
        journal.append(event(Kind.ROLLBACK_STARTED))
        journal.append(event(Kind.CHANGE_UNDONE, "keys", planned=1))
        assert list(journal.state.undoable()) == []
        assert journal.state.memory == {"key": "1"}
        assert journal.state.rolling_back
        journal.append(event(Kind.ROLLBACK_DONE))
        assert journal.state.memory == {}

    def test_on_the_way_back_what_may_have_been_done_counts_as_done(self, folder: Path) -> None:
        journal = write(folder, planned("open-new", opened="now"))
        assert journal.state.memory == {}
        journal.append(event(Kind.ROLLBACK_STARTED))
        assert journal.state.memory == {"opened": "now"}

    def test_after_a_rollback_a_run_starts_afresh(self, folder: Path) -> None:
        run = event(Kind.RUN_STARTED, fingerprint="abc", plan={"migration.name": "example"})
        journal = write(folder, run, planned("keys"), event(Kind.STEP_DONE, "keys"), event(Kind.RUN_DONE))
        memory = journal.state.memory
        journal.append(event(Kind.ROLLBACK_STARTED))
        assert not journal.state.complete
        journal.append(event(Kind.CHANGE_UNDONE, "keys", planned=2))
        journal.append(event(Kind.STEP_UNDONE, "keys"))
        journal.append(event(Kind.ROLLBACK_DONE, minutes=5))
        assert journal.state.rolled_back == NOON + timedelta(minutes=5)
        assert not journal.state.begun
        journal.append(run)
        assert journal.state == State(fingerprint="abc", plan={"migration.name": "example"}, last=NOON)
        assert journal.state.memory is memory

    def test_waiting_says_until_when_and_ends_with_the_next_start(self, folder: Path) -> None:
        until = NOON + timedelta(hours=48)
        journal = write(folder, event(Kind.STEP_WAITING, "wait", text="TTL", until=until.isoformat()))
        record = journal.state.steps["wait"]
        assert (record.state, record.until, record.text) == ("waiting", until, "TTL")
        journal.append(event(Kind.STEP_STARTED, "wait"))
        assert (record.state, record.until, record.text) == ("started", None, "")

    def test_an_accepted_plan_replaces_the_fingerprint(self, folder: Path) -> None:
        journal = write(folder, event(Kind.RUN_STARTED, fingerprint="a", plan={"dns.ttl": "15m"}))
        journal.append(event(Kind.PLAN_ACCEPTED, fingerprint="b", plan={"dns.ttl": "5m"}))
        assert (journal.state.fingerprint, journal.state.plan) == ("b", {"dns.ttl": "5m"})

    def test_a_scratch_record_never_touches_the_numbers_of_the_journal(self, folder: Path) -> None:
        journal = write(folder, planned("keys"))
        scratch = Scratch(journal.state)
        assert scratch.append(planned("keys")) > 1_000_000
        assert len(scratch.state.deeds) == 2


hosts = st.sampled_from(["old", "new"])
texts = st.text(st.characters(min_codepoint=1) | st.sampled_from("\udcff'\"\n$()"), max_size=30)
blobs = st.none() | st.binary()
edits = st.builds(FileEdit, path=texts, before=blobs, after=blobs, owner=texts)
sets = st.builds(AddressSet, st.sampled_from(["A", "AAAA"]), st.tuples(texts), st.integers(0, 86400))
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Shell, hosts, texts, st.floats(1, 9000)),
    st.builds(Upload, hosts, st.lists(edits, max_size=3).map(tuple), texts, st.none() | texts),
    st.builds(
        Rsync,
        st.lists(st.integers(0, 9), max_size=3).map(tuple),
        st.sampled_from(["whole", "changed"]),
        st.booleans(),
    ),
    st.builds(BringHome, st.integers(0, 9)),
    st.builds(DnsUpdate, texts, st.lists(sets, max_size=2).map(tuple)),
    st.builds(SendProbe, texts, texts, texts, texts, st.sampled_from(["accepted", "refused"])),
    st.just(Note()),
)
changes = st.builds(
    Change, texts, commands, commands | st.sampled_from(Undo), st.dictionaries(texts, texts, max_size=2)
)


@given(change=changes)
def test_every_change_comes_back_from_json_as_it_was(change: Change) -> None:
    assert decode(json.loads(json.dumps(encode(change)))) == change


@given(data=st.dictionaries(st.sampled_from(["summary", "do", "undo", "remember"]), st.text() | st.none()))
def test_words_that_make_no_change_are_a_value_error(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        decode(data)
