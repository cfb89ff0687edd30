"""A change of Sendmail's configuration is one command there, and its undo leaves no trace."""

from __future__ import annotations

import pytest

from migrator.change import FileEdit, Upload
from migrator.errors import Refused
from migrator.sendmail.cf import parse
from migrator.steps.common.configure import ACCESS, CF, MAILERTABLE, MC, Sources, change, read
from migrator.steps.exempt_old import ExemptOld
from tests.steps.stage import Stage, upload

MAKEFILE = "/etc/mail/Makefile"
DATABASES = "/etc/mail/databases"


@pytest.fixture
def stage() -> Stage:
    return Stage(ExemptOld())


def undo_of(stage: Stage, wanted: dict[str, str]) -> Upload:
    context = stage.context()
    found = change(context, "old", "edit", read(context, "old"), wanted)
    assert found
    assert isinstance(found.undo, Upload)
    return found.undo


class TestRead:
    def test_a_file_that_is_missing_is_none_and_has_no_text(self, stage: Stage) -> None:
        sources = read(stage.context(), "old")
        assert sources.texts[MAILERTABLE] is None
        assert sources.text(MAILERTABLE) == ""

    def test_maps_and_class_files_are_where_sendmail_cf_says(self, stage: Stage) -> None:
        text = "Kaccess hash -T<TMPF> /srv/mail/access.db\nFw-o /srv/mail/names\n"
        stage.old.files.update({CF: text.encode(), "/srv/mail/access": b"x\tOK\n", "/srv/mail/names": b"a\n"})
        stage.facts("old", cf=text)
        sources = read(stage.context(), "old")
        assert sources.map_path("access", ACCESS) == "/srv/mail/access"
        assert sources.text("/srv/mail/access") == "x\tOK\n"
        assert sources.text("/srv/mail/names") == "a\n"

    def test_a_map_that_is_not_declared_is_in_its_usual_place(self, stage: Stage) -> None:
        assert read(stage.context(), "old").map_path("mailertable", MAILERTABLE) == MAILERTABLE

    def test_sendmail_cf_alone_is_not_edited(self, stage: Stage) -> None:
        del stage.new.files[MC]
        with pytest.raises(Refused) as refused:
            read(stage.context(), "new")
        assert refused.value.host == "new"


class TestChange:
    def test_what_is_as_wanted_is_no_change(self, stage: Stage) -> None:
        context = stage.context()
        sources = read(context, "old")
        assert change(context, "old", "edit", sources, {ACCESS: sources.text(ACCESS)}) is None

    def test_only_files_that_differ_are_written(self, stage: Stage) -> None:
        context = stage.context()
        sources = read(context, "old")
        wanted = {ACCESS: "To:a.test\tRELAY\n", MC: sources.text(MC)}
        found = change(context, "old", "edit", sources, wanted, remember={"key": "value"})
        assert found
        assert [edit.path for edit in upload(found).files] == [ACCESS]
        assert found.remember == {"key": "value"}

    def test_files_are_rebuilt_tested_and_then_loaded(self, stage: Stage) -> None:
        context = stage.context()
        found = change(context, "old", "edit", read(context, "old"), {ACCESS: "x\tOK\n"}, test="prove-it\n")
        assert found
        then = upload(found).then
        places = [then.index(word) for word in ("set -e", "make -C /etc/mail", "prove-it", "kill -s HUP")]
        assert places == sorted(places)
        assert "prove-it" not in (upload(found).otherwise or "")

    def test_a_daemon_that_was_not_told_to_load_is_left_alone_where_a_test_fails(self, stage: Stage) -> None:
        context = stage.context()
        found = change(context, "old", "edit", read(context, "old"), {ACCESS: "x\tOK\n"}, test="prove-it\n")
        assert found
        mark = '"$work/loading"'
        then, otherwise = upload(found).then, upload(found).otherwise or ""
        assert then.index("prove-it") < then.index(f": >{mark}") < then.index("kill -s HUP")
        assert otherwise.index(f"[ ! -e {mark} ]; then exit 0") < otherwise.index("kill -s HUP")

    def test_bytes_that_are_no_text_stay_as_they_are(self, stage: Stage) -> None:
        stage.old.files[ACCESS] = b"# caf\xe9\n"
        context = stage.context()
        sources = read(context, "old")
        found = change(context, "old", "edit", sources, {ACCESS: sources.text(ACCESS) + "x\tOK\n"})
        assert found
        assert upload(found).files == (FileEdit(ACCESS, b"# caf\xe9\n", b"# caf\xe9\nx\tOK\n"),)


class TestUndo:
    def test_what_make_derives_comes_back_whatever_it_is_by_then(self, stage: Stage) -> None:
        undo = undo_of(stage, {ACCESS: "x\tOK\n"})
        unchecked = {edit.path: edit.after for edit in undo.files if not edit.check}
        assert unchecked == {path: stage.old.files[path] for path in (CF, DATABASES, MAKEFILE)}

    def test_what_was_edited_comes_back_unless_somebody_else_edited_it(self, stage: Stage) -> None:
        undo = undo_of(stage, {ACCESS: "x\tOK\n"})
        assert undo.files[0] == FileEdit(ACCESS, b"x\tOK\n", stage.old.files[ACCESS])

    def test_a_derived_file_that_was_not_there_is_not_written(self, stage: Stage) -> None:
        del stage.old.files[MAKEFILE]
        assert MAKEFILE not in [edit.path for edit in undo_of(stage, {ACCESS: "x\tOK\n"}).files]

    def test_a_map_that_is_new_goes_with_its_source(self, stage: Stage) -> None:
        undo = undo_of(stage, {MAILERTABLE: "a.test\tesmtp:[192.0.2.1]\n", ACCESS: "x\tOK\n"})
        assert "\nrm -f /etc/mail/mailertable.db\n" in undo.then
        assert "access.db" not in undo.then

    def test_a_new_file_that_is_no_map_has_none_to_remove(self, stage: Stage) -> None:
        assert "/etc/mail/names.db" not in undo_of(stage, {"/etc/mail/names": "a.test\n"}).then

    def test_make_does_not_take_the_old_sendmail_cf_for_stale(self, stage: Stage) -> None:
        then = undo_of(stage, {ACCESS: "x\tOK\n"}).then
        assert then.index(f"touch {CF}") < then.index("makemap")
        assert "make -C" not in then

    def test_nothing_of_the_configuration_in_between_outlives_it(self, stage: Stage) -> None:
        assert "processes of before still run" in undo_of(stage, {ACCESS: "x\tOK\n"}).then


def test_a_map_is_named_without_the_ending_of_its_database() -> None:
    sources = Sources({}, parse("Kmailertable hash -o /etc/mail/routes.db\n"))
    assert sources.map_path("mailertable", MAILERTABLE) == "/etc/mail/routes"
